"""Counts over many replayed gates. Several are counted at once: each in one of several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import click

from benchmarks.calibration.pool import Pool
from benchmarks.calibration.replay import Replay
from benchmarks.processes import die_with_parent

Key = TypeVar("Key", bound=Hashable)
T = TypeVar("T")


def count_all(
    pool: Pool, counts: Mapping[Key, Callable[[Replay], T]], advance: Callable[[int, int], None]
) -> dict[Key, T]:
    """Return the result of each count on the replicates of a pool, by its key.

    On each processor a process does a count at a time. The results do not depend on their number: each count has a seed
    of its own. `advance` gets how many counts are done, and how many there are.
    """
    spawning = multiprocessing.get_context("spawn")  # a fork could stop at a lock that a thread of this one holds
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), spawning, _begin, (os.getpid(),)) as executor:
        try:
            counted = {key: executor.submit(_count, pool, count) for key, count in counts.items()}
            executor.submit(int)  # it notices the death of a process only if the process is older than the last task
            for done, future in enumerate(as_completed(counted.values()), 1):
                future.result()
                advance(done, len(counts))
        except BrokenProcessPool:
            raise click.ClickException("a process that replays gates has died; memory may be too small") from None
        except BaseException:
            for process in multiprocessing.active_children():  # a count takes minutes
                process.kill()
            raise
    return {key: future.result() for key, future in counted.items()}


def _begin(parent: int) -> None:
    """Let a process end with the one that has started it, which alone gets Ctrl-C."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _count(pool: Pool, count: Callable[[Replay], T]) -> T:
    return count(Replay(pool))
