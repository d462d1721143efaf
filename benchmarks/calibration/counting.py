"""Counts over many replayed gates. Several are counted at once: each in one of several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Hashable, Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from benchmarks.calibration.pool import Pool
from benchmarks.calibration.replay import Replay
from benchmarks.processes import die_with_parent

Key = TypeVar("Key", bound=Hashable)
T = TypeVar("T")


def count_all(
    pool: Pool,
    counts: Mapping[Key, Callable[[Replay], T]],
    processes: int,
    advance: Callable[[int, int], None] = lambda _done, _of_all: None,
) -> dict[Key, T]:
    """Return the result of each count on the replicates of a pool, by its key.

    So many processes each do a count at a time. The results do not depend on their number: each count has a seed of its
    own. `advance` gets how many counts are done, and how many there are.

    Raises:
        RuntimeError: where a process has died. One line.
    """
    spawning = multiprocessing.get_context("spawn")  # a fork could stop at a lock that a thread of this one holds
    left, results = list(counts.items()), {}
    running: dict[Any, tuple[Key, BaseProcess]] = {}
    try:
        while left or running:
            while left and len(running) < processes:
                key, count = left.pop(0)
                receiver, sender = spawning.Pipe(duplex=False)
                process: BaseProcess = spawning.Process(target=_count, args=(os.getpid(), pool, count, sender))
                process.start()
                sender.close()  # so that the end of the process is seen
                running[receiver] = key, process
            ended: list[Any] = wait(running)
            for ready in ended:
                key, process = running[ready]
                result = ready.recv()
                if isinstance(result, BaseException):
                    raise result
                results[key] = result
                process.join()
                del running[ready]
                advance(len(results), len(counts))
    except (EOFError, BrokenPipeError):
        raise RuntimeError("a process that replays gates has died; memory may be too small") from None
    finally:
        for _, process in running.values():  # a count takes minutes
            process.kill()
            process.join()
    return {key: results[key] for key in counts}


def _count(parent: int, pool: Pool, count: Callable[[Replay], T], sender: Connection) -> None:
    """Count in a process that ends with the one that has started it, which alone gets Ctrl-C."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sender.send(count(Replay(pool)))
    except Exception as error:
        sender.send(error)
