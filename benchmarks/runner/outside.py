"""What the runner sees of a worker from outside: its processor time, its threads' processors, and what it started.

A worker's own word is not enough for any of these. An implementation runs in the same process, and may replace a clock,
move its threads to other processors, or leave processes of its own behind.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
MARK = "LSTM_BENCH_WORKER"
"""An environment variable of a worker. Its descendants inherit it, so it says whose they are."""

TICKS = os.sysconf("SC_CLK_TCK")

_expected: set[int] = set()
"""Children of this process that are workers, or were there before it became a runner."""


def cpu_seconds(pid: int) -> float:
    """Return the processor time of all threads of a process, in nanosecond steps (man 3 clock_getcpuclockid).

    That of children which have ended is added, in steps of the kernel's tick, mostly 10 ms (man 5 proc: cutime).
    """
    with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - as in _names
        ended = file.read().rpartition(b")")[2].split()[13:15]
    return time.clock_gettime((~pid << 3) | 2) + sum(map(int, ended)) / TICKS


def strayed(pid: int, cores: Iterable[int]) -> set[int]:
    """Return the processors that threads of a process may use beyond `cores`."""
    allowed, found = set(cores), set[int]()
    for task in _names(f"/proc/{pid}/task"):
        try:
            found |= os.sched_getaffinity(int(task)) - allowed
        except ProcessLookupError:  # the thread has just ended
            continue
    return found


def favoured(pid: int) -> bool:
    """Whether a thread of a process is in another scheduling class than this process, or has a higher priority."""
    here, usual = os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)
    for task in map(int, _names(f"/proc/{pid}/task")):
        try:
            if os.getpriority(os.PRIO_PROCESS, task) < here or os.sched_getscheduler(task) != usual:
                return True
        except ProcessLookupError:  # the thread has just ended
            continue
    return False


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - this is called after each turn, and a Path for each name takes longer
    except FileNotFoundError:
        return []


@dataclass(frozen=True)
class Process:
    """A process: its id, process group, session, command, and the token of the worker that it comes from, if any."""

    pid: int
    group: int
    session: int
    command: str
    token: str | None = None

    def __str__(self) -> str:
        return f"{self.command} (process {self.pid})"


def _read(pid: int) -> Process | None:
    """Return a process; None where it has ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    name, _, rest = status.partition("(")[2].rpartition(")")
    state, _, group, session = rest.split()[:4]
    if state in "ZX":
        return None
    prefix = f"{MARK}=".encode()
    tokens = [variable.removeprefix(prefix).decode() for variable in variables if variable.startswith(prefix)]
    if words[0].startswith("/"):
        words[0] = Path(words[0]).name  # the folder of an interpreter may be longer than what it runs
    return Process(pid, int(group), int(session), " ".join(words).strip()[:80] or name, tokens[0] if tokens else None)


def _children(pid: int) -> Iterator[int]:
    for task in _names(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children", "rb", buffering=0) as file:  # noqa: PTH123 - as in _names
                children = file.read()
        except OSError:
            continue
        yield from map(int, children.split())


def descendants(pid: int) -> list[Process]:
    """Return every process that a process has started, and those that they have started."""
    found = []
    for child in _children(pid):
        process = _read(child)
        if process is not None:
            found.append(process)
        found += descendants(child)
    return found


@functools.cache
def adopt_orphans() -> None:
    """Have the kernel make this process the parent of every descendant whose own parent ends.

    A process that leaves its worker's session is then still found among this process's children.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1)
    _expected.update(_children(os.getpid()))


def orphans() -> list[Process]:
    """Return this process's children that it has not started itself.

    What it starts itself is a worker, which it expects, or stays in its session.
    """
    session = os.getsid(0)
    processes = [_read(pid) for pid in _children(os.getpid()) if pid not in _expected]
    return [process for process in processes if process is not None and process.session != session]


def expect(pid: int) -> None:
    """Say that a child is a worker."""
    _expected.add(pid)


def forget(pid: int) -> None:
    """Say that a worker has ended, and take in what it left in its process group."""
    _expected.discard(pid)
    with contextlib.suppress(ChildProcessError):
        while os.waitid(os.P_PGID, pid, os.WEXITED | os.WNOHANG):
            pass


def end(processes: Iterable[Process]) -> None:
    """Kill processes and what they have started, and take in those that are children of this process."""
    for process in processes:
        for one in [process, *descendants(process.pid)]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(one.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(one.pid, 0)
