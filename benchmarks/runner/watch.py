"""A worker, watched from outside: its processor time, what it takes beyond what it was given, what it leaves behind."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from benchmarks.runner import outside
from impls.core.text import one_line

BUSY = 0.1
"""The share of a turn in which a process that the worker has started may use a processor. An idle one harms nobody."""


class Watch:
    """A worker's process, its token (see outside.MARK), and the processors that it was given."""

    def __init__(self, pid: int, token: str, cores: Sequence[int]) -> None:
        self.pid = pid
        self.token = token
        self.cores = cores

    def cpu_seconds(self) -> float:
        """Return the processor time of the worker, as the kernel tells it; 0 where it has died."""
        with contextlib.suppress(OSError):
            return outside.cpu_seconds(self.pid)
        return 0.0

    def escaped(self) -> list[outside.Process]:
        """Return the processes that the worker has started and that are no longer stopped with it.

        Such a process has left the worker's process group. Whether its parent still lives does not matter.
        """
        started = [process for process in outside.descendants(self.pid) if process.group != self.pid]
        return started + [process for process in outside.orphans() if process.token in (self.token, None)]

    def trouble(self, pools: Sequence[int] = ()) -> str | None:
        """Return what the worker took that it was not given, or left behind; None where nothing is wrong.

        Args:
            pools: the numbers of threads of its thread pools.
        """
        if strayed := outside.strayed(self.pid, self.cores):
            return f"it moved a thread to processor {min(strayed)}, which it was not given"
        if outside.favoured(self.pid):
            return "it raised its own priority"
        if max(pools, default=0) > len(self.cores):
            return f"it set a thread pool to {max(pools)} threads; it was given {len(self.cores)}"
        if escaped := self.escaped():
            return f"it left a process behind, which has been ended: {one_line(str(escaped[0]))}"
        return None

    def helpers(self) -> dict[int, float]:
        """Return the processor time in seconds, by process id, of processes that are stopped with the worker."""
        times = {}
        for process in outside.descendants(self.pid):
            if process.group == self.pid:
                with contextlib.suppress(OSError):  # it has just ended
                    times[process.pid] = outside.cpu_seconds(process.pid)
        return times

    def busy_helper(self, before: Mapping[int, float], seconds: float) -> str | None:
        """Return which process of the worker's own used a processor during a turn; None where none did.

        Args:
            before: what `helpers` returned before the turn.
            seconds: how long the turn took.
        """
        busy = [pid for pid, cpu in self.helpers().items() if cpu - before.get(pid, 0.0) > BUSY * seconds]
        return f"a process that it has started used a processor during a turn (process {busy[0]})" if busy else None
