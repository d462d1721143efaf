"""The messages between the runner and a worker, one line of JSON each.

A request is a type that has the type of its answer and how a worker does it: see requests.py. An exception is a
Failed, with the status of the row and the reason in one line.
"""

from __future__ import annotations

import re
import subprocess
import sysconfig
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

import msgspec

from benchmarks.judge.agreement import Disagrees
from benchmarks.judge.sanity import Suspicious
from benchmarks.worker.used_files import Origin
from impls.core import environments, registry
from impls.core.contract import NoDevice, NotInstalled, Unsupported
from impls.core.text import one_line

if TYPE_CHECKING:
    from benchmarks.worker.worker import Worker

Answer = TypeVar("Answer")
STICKY = re.compile(
    r"illegal.(memory.access|address|instruction)|device-side assert|error_assert|unspecified launch failure"
    r"|error_launch_failed|misaligned.address|uncorrectable.ecc",
    re.IGNORECASE,
)
"""What an error says after which every further call to CUDA fails in that process (the driver's documentation of
CUresult: "the process must be terminated and relaunched")."""
NO_MEMORY = re.compile(
    "out.of.memory|not enough memory|can't allocate memory|RESOURCE_EXHAUSTED|_ALLOC_FAILED",
    re.IGNORECASE,
)
"""What an error says where memory has run out."""
NO_COMPILER = re.compile("Failed to find C compiler|No working C\\+\\+ compiler found")
"""What Triton and torch.compile say where there is no compiler."""
PYTHON_H = Path(sysconfig.get_path("include", "posix_prefix"), "Python.h")
STATUS: dict[type[Exception], str] = {
    NotInstalled: "not_installed",
    NoDevice: "no_device",
    Unsupported: "unsupported",
    Disagrees: "disagrees",
    Suspicious: "error",
}
"""The status of a row that failed with an exception of the suite's own. Its text is the reason."""
MOST = 300
"""The most characters of a reason."""
OF_COMPILER = re.compile(r"(?m)^\S+:\d+:\d+: (?:fatal )?error: .*")
"""The first line in which a compiler says what is wrong: its command, which stands before, can be longer than MOST."""


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """The first line that a worker reads: the implementation, device and processors, and the runner."""

    path: str
    requires: tuple[str, ...]  # of its environment
    impls: str  # the folder from which it imports implementations and families
    origin: Origin | None  # of an implementation from elsewhere
    shared: tuple[str, ...]  # the suite's folders that all workers use
    device: str
    cores: tuple[int, ...]
    runner: int  # its process id


class Ready(msgspec.Struct, forbid_unknown_fields=True):
    """The answer to Start: the implementation has been imported."""

    digest: str
    versions: str


class Request(
    msgspec.Struct, Generic[Answer], forbid_unknown_fields=True, tag_field="request", tag=True
):
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


def failure_of(error: BaseException) -> Failed:
    """Return the status and the reason of a row that failed with this exception."""
    text = str(error)
    for kind, status in STATUS.items():
        if isinstance(error, kind):
            return Failed(status, one_line(text, MOST))
    if NO_COMPILER.search(text):
        return Failed("not_installed", one_line(text, MOST))
    # Triton compiles with it
    if isinstance(error, subprocess.CalledProcessError) and not PYTHON_H.exists():
        needed = f"{PYTHON_H} is missing, which a compiler needs"
        return Failed("not_installed", one_line(f"{needed}: {text}", MOST))
    no_memory = isinstance(error, MemoryError) or NO_MEMORY.search(text)
    of_compiler = OF_COMPILER.search(text)
    if of_compiler:
        text = f"{of_compiler[0]}; {text}"
    reason = one_line(f"{type(error).__name__}: {text}", MOST)
    return Failed("out_of_memory" if no_memory else "error", reason, bool(STICKY.search(text)))


def failure_to_import(error: Exception, path: Path) -> Failed:
    """Return the status and the reason of an implementation that could not be imported."""
    if not isinstance(error, ImportError):
        return failure_of(error)
    module = error.name or ""
    distributions = environments.distributions(registry.read(path))
    absent = isinstance(error, ModuleNotFoundError) and module.partition(".")[0] in distributions
    if absent or any(environments.version(name) is None for name in distributions):
        return Failed("not_installed", one_line(str(error), MOST))
    if module.startswith(("impls.core", "impls.api")):
        reason = f"{error}: impls/core is that of the working tree"
        return Failed("error", one_line(reason, MOST))
    return failure_of(error)  # such as a mistyped import
