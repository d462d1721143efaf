"""The messages between the runner and a worker, one line of JSON each.

A request is a type that has the type of its answer and how a worker does it: see requests.py.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

import msgspec

if TYPE_CHECKING:
    from benchmarks.worker.worker import Worker

Answer = TypeVar("Answer")


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """The first line that a worker reads: the implementation, device and processors, and the runner."""

    path: str
    requires: tuple[str, ...]  # of its environment
    impls: str  # the folder from which it imports implementations and families
    device: str
    cores: tuple[int, ...]
    runner: int  # its process id


class Ready(msgspec.Struct, forbid_unknown_fields=True):
    """The answer to Start: the implementation has been imported."""

    digest: str
    base_bytes: int
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


class Reply(msgspec.Struct, Generic[Answer], forbid_unknown_fields=True, tag=True):
    """The answer to a request that could be done."""

    answer: Answer


def line(message: Any) -> bytes:
    """Return a message as a line of JSON."""
    return msgspec.json.encode(message) + b"\n"


def read_request(text: bytes) -> Request[Any]:
    """Return the request of a line: of a class that has been imported."""
    request: Request[Any] = msgspec.json.decode(text, type=reduce(or_, Request.__subclasses__()))
    return request
