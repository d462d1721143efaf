"""A worker, watched from outside: its processor time, the processors it uses, and processes that it leaves behind.

A worker's own word is not enough for any of these, since an implementation runs in the same process. What the worker
has started stays below it, also where a process between has ended: see worker/__main__.py.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence

import psutil

from impls.core.text import one_line

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, and of every process that it has started."""
    return sum(map(_cpu_seconds, (pid, *descendants(pid))))


def _cpu_seconds(pid: int) -> float:
    """Return the processor time of all threads of a process, in nanosecond steps (man 3 clock_getcpuclockid).

    That of children which have ended is added, in steps of the kernel's tick, mostly 10 ms (man 5 proc: cutime). It is
    0 where the process has ended.
    """
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - as in _names
        ended = file.read().rpartition(b")")[2].split()[13:15]
        return time.clock_gettime((~pid << 3) | 2) + sum(map(int, ended)) / TICKS
    return 0.0


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - this is called after each turn, and a Path for each name takes longer
    except FileNotFoundError:
        return []


def _children(pid: int) -> Iterator[int]:
    for task in _names(f"/proc/{pid}/task"):
        with (
            contextlib.suppress(OSError),
            open(f"/proc/{pid}/task/{task}/children", "rb", buffering=0) as file,  # noqa: PTH123
        ):
            yield from map(int, file.read().split())


def descendants(pid: int) -> list[int]:
    """Return every process that a process has started, and those that they have started."""
    return [found for child in _children(pid) for found in (child, *descendants(child))]


def threads(processes: Iterable[int]) -> Iterator[int]:
    """Yield the id of each thread of some processes."""
    for pid in processes:
        yield from map(int, _names(f"/proc/{pid}/task"))


def _state(pid: int, thread: int) -> bytes:
    """Return the state of a thread in a letter (man 5 proc): Z and X are those that have ended."""
    with (
        contextlib.suppress(OSError),
        open(f"/proc/{pid}/task/{thread}/stat", "rb", buffering=0) as file,  # noqa: PTH123 - as in _names
    ):
        return file.read().rpartition(b")")[2].split()[0]
    return b"X"


def strayed(processes: Iterable[int], cores: Iterable[int]) -> set[int]:
    """Return the processors that threads of processes may use beyond `cores`."""
    allowed, found = set(cores), set[int]()
    for thread in threads(processes):
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            found |= os.sched_getaffinity(thread) - allowed
    return found


def escaped(pid: int, started: Iterable[int]) -> Iterator[str]:
    """Yield the command of each process that a worker has started and that has left its group: it is never stopped."""
    for each in started:
        with contextlib.suppress(ProcessLookupError, psutil.Error):  # it has just ended
            # a process whose first thread has ended reads as a zombie, without its command, while others go on
            running = any(_state(each, thread) not in b"ZX" for thread in threads([each]))
            if running and os.getpgid(each) != pid:
                process = psutil.Process(each)
                words = (
                    [process.name()]
                    if process.status() == psutil.STATUS_ZOMBIE
                    else process.cmdline()
                )
                yield f"{one_line(' '.join(words), 80)} (process {each})"


def favoured(processes: Iterable[int]) -> bool:
    """Whether a thread of processes goes before others: by a higher priority than this process's, or in real time."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    for thread in threads(processes):
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            in_real_time = os.sched_getscheduler(thread) in (os.SCHED_FIFO, os.SCHED_RR)
            if in_real_time or os.getpriority(os.PRIO_PROCESS, thread) < own:
                return True
    return False


def trouble(pid: int, cores: Sequence[int], pools: Sequence[int] = ()) -> str | None:
    """Return what a worker took beyond its `cores`, or left behind; `pools` are the sizes of its thread pools."""
    started = descendants(pid)
    if found := strayed((pid, *started), cores):
        return f"it moved a thread to processor {min(found)}, which it was not given"
    if max(pools, default=0) > len(cores):
        return f"it set a thread pool to {max(pools)} threads; it was given {len(cores)}"
    if favoured((pid, *started)):
        return "it raised the priority of a thread above that of others"
    if command := next(escaped(pid, started), None):
        return f"it left a process behind, which has been ended: {command}"
    return None


def end(processes: Iterable[int]) -> None:
    """Kill processes and what they have started."""
    for process in processes:
        for pid in (process, *descendants(process)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
