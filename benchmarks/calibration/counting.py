"""Counts over many replayed gates. Several are counted at once: each in one of several processes."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from benchmarks.calibration.pool import Pool
from benchmarks.calibration.replay import Replay
from benchmarks.scratch import scratch

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
        RuntimeError: where a process has died. One line.
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
    with scratch() as folder:
        kept = folder / "pool"  # and no argument: a process that dies before it has read a large one is waited for
        kept.write_bytes(pickle.dumps((pool, margin)))
        spawning = multiprocessing.get_context("spawn")  # a fork could stop at a lock that a thread of this one holds
        executor = ProcessPoolExecutor(processes, spawning, _begin, (kept,))

        def ended(future: Future[T]) -> None:
            if not future.cancelled() and future.exception() is None:
                advance(next(numbers), begun)

        def elsewhere(count: Callable[Concatenate[Replay, P], T], /, *arguments: P.args, **named: P.kwargs) -> Later[T]:
            nonlocal begun
            begun += 1
            with _dying(OSError), _no_interrupts():  # OSError: one dies while another starts
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


@contextmanager
def _dying(*also: type[Exception]) -> Iterator[None]:
    """Say in one line that a process that counts has died."""
    died: tuple[type[Exception], ...] = (BrokenProcessPool, *also)
    try:
        yield
    except died:
        raise RuntimeError("a process that replays gates has died; memory may be too small") from None


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Let a process that starts here never be interrupted by Ctrl-C: this one is, and ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _result(future: Future[T]) -> T:
    with _dying():
        return future.result()


_replays: list[Replay] = []
"""The replay of a process that counts."""


def _begin(kept: Path) -> None:
    """Prepare a process: it ends with the one that has started it, however that dies."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _replays.append(Replay(*pickle.loads(kept.read_bytes())))  # noqa: S301 (its parent has written it)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _counted(count: Callable[Concatenate[Replay, P], T], /, *arguments: P.args, **named: P.kwargs) -> T:
    return count(_replays[0], *arguments, **named)
