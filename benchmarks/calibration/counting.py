"""Counts over many replayed gates. Several are counted at once: each in one of several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from benchmarks.calibration.pool import Pool
from benchmarks.calibration.replay import Replay
from benchmarks.processes import die_with_parent

Key = TypeVar("Key", bound=Hashable)
T = TypeVar("T")
replays: list[Replay] = []
"""In a process that counts: the replay of the pool."""


def count_all(
    pool: Pool,
    counts: Mapping[Key, Callable[[Replay], T]],
    processes: int,
    advance: Callable[[int, int], None] = lambda _done, _of_all: None,
) -> dict[Key, T]:
    """Return the result of each count on the replicates of a pool, by its key.

    The results do not depend on the number of processes: each count has a seed of its own.

    Args:
        pool: what is replayed.
        counts: functions that can be sent to another process. Each gets the replay.
        processes: how many counts run at once.
        advance: gets how many counts are done, and how many there are.

    Raises:
        RuntimeError: where a process has died. One line.
    """
    spawning = multiprocessing.get_context("spawn")  # a fork could stop at a lock that a thread of this one holds
    with ProcessPoolExecutor(processes, spawning, _begin, (os.getpid(), pool)) as executor:
        try:
            futures = {executor.submit(_count, count): key for key, count in counts.items()}
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                advance(done, len(counts))
            return {key: future.result() for future, key in futures.items()}
        except BaseException as error:
            for process in multiprocessing.active_children():
                process.kill()  # a count takes minutes
            if isinstance(error, BrokenProcessPool):
                raise RuntimeError("a process that replays gates has died; memory may be too small") from None
            raise


def _begin(parent: int, pool: Pool) -> None:
    """Begin a process that ends with the one that has started it, which alone gets Ctrl-C."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replays.append(Replay(pool))


def _count(count: Callable[[Replay], T]) -> T:
    return count(replays[0])
