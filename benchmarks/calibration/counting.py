"""Counts over many replayed gates. Several are counted at once: each in one of several processes."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache, partial
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from benchmarks.calibration.pool import Pool
from benchmarks.calibration.replay import Replay

P = ParamSpec("P")
T = TypeVar("T")
Later = Callable[[], T]
"""Waits for a result, and returns it."""


class Ask(Protocol):
    """Begins a count."""

    def __call__(
        self, count: Callable[Concatenate[Replay, P], T], /, *arguments: P.args, **named: P.kwargs
    ) -> Later[T]:
        """Call a function with a replay and what else is given, here or in another process."""
        ...


Advance = Callable[[int, int], None]
"""Gets how many counts are done, and how many have begun."""


@contextmanager
def counting(
    pool: Pool, margin: float, processes: int = 1, advance: Advance = lambda _done, _begun: None
) -> Iterator[Ask]:
    """Yield what begins a count on the replicates of a pool.

    The results do not depend on the number of processes: each count has a seed of its own.

    Args:
        pool: what is replayed.
        margin: that of the gates.
        processes: how many counts run at once. With one, each count runs in this process, when its result is wanted.
        advance: is called after each count; with several processes, by another thread.

    Raises:
        RuntimeError: by a result, where a process was killed. One line.
    """
    numbers, begun = itertools.count(1), 0  # whose next() is safe in threads

    if processes == 1:
        replay = Replay(pool, margin)  # which remembers the log ratios

        def here(count: Callable[Concatenate[Replay, P], T], /, *arguments: P.args, **named: P.kwargs) -> Later[T]:
            nonlocal begun
            begun += 1

            @cache
            def counted() -> T:
                result = count(replay, *arguments, **named)
                advance(next(numbers), begun)
                return result

            return counted

        yield here
        return
    spawning = multiprocessing.get_context("spawn")  # a fork could stop at a lock that a thread of this process holds
    executor = ProcessPoolExecutor(processes, spawning, _begin, (pool, margin))

    def ended(future: Future[T]) -> None:
        if not future.cancelled() and future.exception() is None:
            advance(next(numbers), begun)

    def elsewhere(count: Callable[Concatenate[Replay, P], T], /, *arguments: P.args, **named: P.kwargs) -> Later[T]:
        nonlocal begun
        begun += 1
        future = executor.submit(_counted, count, *arguments, **named)
        future.add_done_callback(ended)
        return partial(_result, future)

    try:
        yield elsewhere
    except BaseException:
        for process in multiprocessing.active_children():
            process.kill()  # a count takes minutes
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _result(future: Future[T]) -> T:
    try:
        return future.result()
    except BrokenProcessPool:
        raise RuntimeError("a process that replays gates was killed; memory may be too small") from None


_replays: list[Replay] = []
"""The replay of a process that counts."""


def _begin(pool: Pool, margin: float) -> None:
    """Prepare a process: it ends with the one that has started it, however that dies, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _replays.append(Replay(pool, margin))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _counted(count: Callable[Concatenate[Replay, P], T], /, *arguments: P.args, **named: P.kwargs) -> T:
    return count(_replays[0], *arguments, **named)
