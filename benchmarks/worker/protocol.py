"""The messages between the runner and a worker, one line of JSON each. Anything else is refused.

A request is a type that has the type of its answer and how a worker does it: see requests.py. An answer carries the
number of its request.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

import msgspec

if TYPE_CHECKING:
    from benchmarks.worker.worker import Worker

Answer = TypeVar("Answer")

REFUSED = -1
"""The number of an answer to a line that is no request."""


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """The first line that a worker reads: the implementation, device and processors, and the runner."""

    path: str
    impls: str  # the folder from which it imports implementations and families
    device: str
    cores: tuple[int, ...]
    runner: int  # its process id


class Ready(msgspec.Struct, forbid_unknown_fields=True):
    """The answer to Start: the implementation has been imported."""

    digest: str
    base_bytes: int
    keeps_freed: bool
    versions: str


class Request(msgspec.Struct, Generic[Answer], forbid_unknown_fields=True, tag_field="request", tag=True):
    """What a worker is to do. The parameter is the type of its answer."""

    def do(self, worker: Worker) -> Answer:
        """Do it in a worker's process, and return the answer."""
        raise NotImplementedError

    @classmethod
    def answer_type(cls) -> type[Answer]:
        """Return the type of the answer."""
        kind: type[Answer] = get_args(cls.__dict__["__orig_bases__"][0])[0]
        return kind


class Failed(msgspec.Struct, forbid_unknown_fields=True, tag=True):
    """A request could not be done: the status of the row, and the reason. After some failures nothing works."""

    status: str
    reason: str
    ends: bool = False  # the process is of no more use


class Message(msgspec.Struct, forbid_unknown_fields=True):
    """A request and its number."""

    number: int
    content: msgspec.Raw


class Reply(msgspec.Struct, forbid_unknown_fields=True):
    """The answer to a request, or how it failed; 0 is the number of Start."""

    number: int
    answer: msgspec.Raw = msgspec.Raw(b"null")
    failed: Failed | None = None


def line(message: Any) -> bytes:
    """Return a message as a line of JSON."""
    return msgspec.json.encode(message) + b"\n"


def request_line(number: int, request: Request[Any]) -> bytes:
    """Return the line of a request and its number."""
    return line(Message(number, msgspec.Raw(msgspec.json.encode(request))))


def read_request(text: bytes) -> tuple[int, Request[Any]]:
    """Return the number and the request of a line: of a class that has been imported.

    Raises:
        MsgspecError: where it is no request, or an unknown one.
    """
    message = msgspec.json.decode(text, type=Message)
    request: Request[Any] = msgspec.json.decode(message.content, type=reduce(or_, Request.__subclasses__()))
    return message.number, request


def reply_line(number: int, answer: Any) -> bytes:
    """Return the line of an answer, or of a Failed, to the request of that number."""
    if isinstance(answer, Failed):
        return line(Reply(number, failed=answer))
    return line(Reply(number, msgspec.Raw(msgspec.json.encode(answer))))
