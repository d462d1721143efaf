"""What the kernel says of a worker and the processes that it has started: their time, processors and priorities.

A worker's own word is not enough for any of these, since an implementation runs in the same process. What the worker
has started stays below it, also where a process between has ended: see worker/__main__.py.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence

from impls.core.text import one_line

TICKS = os.sysconf("SC_CLK_TCK")
REAL_TIME = (os.SCHED_FIFO, os.SCHED_RR)


def _read(path: str) -> bytes:
    """Return what a file of the kernel has; nothing where its process has ended."""
    # a Path would take longer, and this is called many times after each turn
    with contextlib.suppress(OSError), open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()
    return b""


def _fields(path: str) -> list[bytes]:
    """Return the fields of a file called stat, from the state on (man 5 proc); none where its process has ended."""
    return _read(path).rpartition(b")")[2].split()


def threads(processes: Iterable[int]) -> Iterator[int]:
    """Yield the id of each thread of some processes."""
    for pid in processes:
        with contextlib.suppress(FileNotFoundError):
            yield from map(int, os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 - as in _read


def descendants(pid: int) -> list[int]:
    """Return every process that a process has started, and what these have started."""
    processes: list[int] = []
    for thread in threads([pid]):
        for child in map(int, _read(f"/proc/{pid}/task/{thread}/children").split()):
            processes += [child, *descendants(child)]
    return processes


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, and of every process that it has started."""
    return sum(map(_cpu_seconds, (pid, *descendants(pid))))


def _cpu_seconds(pid: int) -> float:
    """Return the processor time of all threads of a process, in nanosecond steps (man 3 clock_getcpuclockid).

    That of children which have ended is added, in steps of the kernel's tick, mostly 10 ms (man 5 proc: cutime). It is
    0 where the process has ended.
    """
    ended = sum(map(int, _fields(f"/proc/{pid}/stat")[13:15])) / TICKS
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2) + ended
    return 0.0


def strayed(processes: Iterable[int], cores: Iterable[int]) -> set[int]:
    """Return the processors that threads of processes may use beyond `cores`."""
    usable: set[int] = set()
    for thread in threads(processes):
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            usable |= os.sched_getaffinity(thread)
    return usable.difference(cores)


def favoured(processes: Iterable[int]) -> bool:
    """Whether a thread of processes goes before others: by a higher priority than this process's, or in real time."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    for thread in threads(processes):
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            if os.getpriority(os.PRIO_PROCESS, thread) < own:
                return True
            if os.sched_getscheduler(thread) in REAL_TIME:
                return True
    return False


def _runs(pid: int) -> bool:
    """Whether a thread of a process has not ended. The process itself is a zombie once its first thread has."""
    states = [_fields(f"/proc/{pid}/task/{thread}/stat")[:1] for thread in threads([pid])]
    return any(state not in ([], [b"Z"], [b"X"]) for state in states)


def escaped(pid: int, started: Iterable[int]) -> str:
    """Return the command of a process that a worker has started and that has left its group: it is never stopped."""
    for process in started:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            if os.getpgid(process) != pid and _runs(process):
                # where the first thread has ended, only the name is left of the command
                command = _read(f"/proc/{process}/cmdline") or _read(f"/proc/{process}/comm")
                words = command.replace(b"\0", b" ").decode(errors="replace").strip()
                if words:
                    return f"{one_line(words, 80)} (process {process})"
    return ""


def trouble(pid: int, cores: Sequence[int], pools: Sequence[int] = ()) -> str:
    """Return what a worker took beyond its `cores`, or left behind; `pools` are the sizes of its thread pools."""
    started = descendants(pid)
    processes = [pid, *started]
    strange = strayed(processes, cores)
    if strange:
        return f"it moved a thread to processor {min(strange)}, which it was not given"
    largest = max(pools, default=0)
    if largest > len(cores):
        return f"it set a thread pool to {largest} threads; it was given {len(cores)}"
    if favoured(processes):
        return "it raised the priority of a thread above that of others"
    command = escaped(pid, started)
    return command and f"it left a process behind, which has been ended: {command}"


def end(processes: Iterable[int]) -> None:
    """Kill processes and what they have started."""
    for process in processes:
        for pid in (process, *descendants(process)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
