"""A worker, watched from outside: its processor time, the processors it uses, and processes that it leaves behind.

A worker's own word is not enough for any of these, since an implementation runs in the same process.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import psutil

from impls.core.text import one_line

PR_SET_CHILD_SUBREAPER = 36
TICKS = os.sysconf("SC_CLK_TCK")
BUSY = 0.1
"""The share of a turn in which a process that the worker has started may use a processor. An idle one harms nobody."""

_expected: set[int] = set()
"""Children of this process that are workers, or were there before it became a runner."""
_starting = threading.Lock()


def cpu_seconds(pid: int) -> float:
    """Return the processor time of all threads of a process, in nanosecond steps (man 3 clock_getcpuclockid).

    That of children which have ended is added, in steps of the kernel's tick, mostly 10 ms (man 5 proc: cutime). It is
    0 where the process has ended.
    """
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - as in _names
        ended = file.read().rpartition(b")")[2].split()[13:15]
        return time.clock_gettime((~pid << 3) | 2) + sum(map(int, ended)) / TICKS
    return 0.0


def strayed(pid: int, cores: Iterable[int]) -> set[int]:
    """Return the processors that threads of a process may use beyond `cores`."""
    allowed, found = set(cores), set[int]()
    for task in _names(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):  # the thread has just ended
            found |= os.sched_getaffinity(int(task)) - allowed
    return found


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - this is called after each turn, and a Path for each name takes longer
    except FileNotFoundError:
        return []


def _children(pid: int) -> Iterator[int]:
    for task in _names(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children", "rb", buffering=0) as file:  # noqa: PTH123
            yield from map(int, file.read().split())


def descendants(pid: int) -> list[int]:
    """Return every process that a process has started, and those that they have started."""
    return [found for child in _children(pid) for found in (child, *descendants(child))]


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return False


@functools.cache
def adopt_orphans() -> None:
    """Have the kernel make this process the parent of every descendant whose own parent ends.

    A process that leaves its worker's session is then still found among this process's children.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1)
    _expected.update(_children(os.getpid()))


def start(command: Sequence[str], **how: Any) -> subprocess.Popen[bytes]:
    """Start a worker, in a process group of its own.

    The group is one of this session: when this process is killed, the kernel sends SIGHUP to it where it is stopped.
    """
    with _starting:  # before another thread looks for orphans
        process = subprocess.Popen(command, process_group=0, **how)
        _expected.add(process.pid)
    return process


def orphans() -> list[int]:
    """Return this process's children that it has not started itself.

    What it starts itself is a worker, which it expects, or stays in its process group.
    """
    with _starting:
        found = [pid for pid in _children(os.getpid()) if pid not in _expected]
    return [pid for pid in found if _group(pid) not in (None, os.getpgrp()) and _lives(pid)]


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def forget(pid: int) -> None:
    """Say that a worker has ended, and take in what it left in its process group."""
    _expected.discard(pid)
    with contextlib.suppress(ChildProcessError):
        while os.waitid(os.P_PGID, pid, os.WEXITED | os.WNOHANG):
            pass


def end(processes: Iterable[int]) -> None:
    """Kill processes and what they have started, and take in those that are children of this process."""
    for process in processes:
        for pid in (process, *descendants(process)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


class Watch:
    """A worker's process, and the processors that it was given."""

    def __init__(self, pid: int, cores: Sequence[int]) -> None:
        self.pid = pid
        self.cores = cores

    def helpers(self) -> dict[int, float]:
        """Return the processor time in seconds, by process id, of processes that are stopped with the worker."""
        times = {}
        for pid in descendants(self.pid):
            with contextlib.suppress(OSError):  # it has just ended
                if os.getpgid(pid) == self.pid:
                    times[pid] = cpu_seconds(pid)
        return times

    def escaped(self) -> list[int]:
        """Return the processes that the worker has started and that are no longer stopped with it.

        Such a process has left the worker's process group. Whether its parent still lives does not matter.
        """
        stopped = self.helpers()
        return [pid for pid in descendants(self.pid) if pid not in stopped and _lives(pid)] + orphans()

    def trouble(self, pools: Sequence[int] = ()) -> str | None:
        """Return what the worker took that it was not given, or left behind; `pools` are sizes of its thread pools."""
        if found := strayed(self.pid, self.cores):
            return f"it moved a thread to processor {min(found)}, which it was not given"
        if max(pools, default=0) > len(self.cores):
            return f"it set a thread pool to {max(pools)} threads; it was given {len(self.cores)}"
        if escaped := self.escaped():
            with contextlib.suppress(psutil.Error):
                command = one_line(" ".join(psutil.Process(escaped[0]).cmdline()), 80)
                return f"it left a process behind, which has been ended: {command} (process {escaped[0]})"
        return None

    def busy_helper(self, before: Mapping[int, float], seconds: float) -> str | None:
        """Return which process of the worker's own used a processor in a turn of these seconds; None where none did.

        `before` is what `helpers` returned before the turn.
        """
        busy = [pid for pid, cpu in self.helpers().items() if cpu - before.get(pid, 0.0) > BUSY * seconds]
        return f"a process that it has started used a processor during a turn (process {busy[0]})" if busy else None
