"""Gates that are replayed on the replicates of a pool, by the decision that a real gate takes; many counts at once."""

from __future__ import annotations

import functools
import multiprocessing
import os
import random
import signal
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TypeVar

import click
import numpy as np

from benchmarks.calibration.pool import BASE, COPY, Pool
from benchmarks.regression import decision
from benchmarks.regression.decision import FEWEST, MARGIN, Evidence, GateKey, LogRatios, Rule
from benchmarks.regression.log_ratios import TIME, log_ratio

AT_ONCE = 400
"""How many gates are replayed at once; more would take memory and not be faster."""
Key = TypeVar("Key", bound=Hashable)
T = TypeVar("T")


@dataclass(frozen=True)
class Head:
    """What a replayed gate compares with base at a benchmark: a side, and what is added to the log ratio.

    A shift is a slowdown of exactly that size, with the noise of a real one.
    """

    side: str = COPY
    shift: float = 0.0

    def sides(self, swapped: bool) -> tuple[str, str]:
        """Return the labels of the two sides in the pool, base first; `swapped` as in Draw."""
        if not swapped:
            return BASE, self.side
        return COPY, BASE if self.side == COPY else self.side


@dataclass(frozen=True)
class Case:
    """What gates compare.

    head: that of the one benchmark that is slowed, which is drawn for each gate; by default, none is slowed.
    alone: whether a gate compares only the benchmarks of the slowed implementation, or of one that is drawn.
    """

    head: Head = Head()
    alone: bool = False

    def draw(
        self, benchmarks: Sequence[str], rng: random.Random
    ) -> tuple[dict[str, Head], str | None]:
        """Return the head of each benchmark of a gate, and which benchmark is slowed."""
        heads = dict.fromkeys(benchmarks, Head())
        slowed = self.head != Head()
        if not (self.alone or slowed):
            return heads, None
        target = rng.choice(benchmarks)
        heads[target] = self.head
        if self.alone:
            only = GateKey(target).implementation
            heads = {
                name: head for name, head in heads.items() if GateKey(name).implementation == only
            }
        return heads, target if slowed else None


@dataclass(frozen=True)
class Draw:
    """A gate to be replayed.

    heads: what is compared, by benchmark.
    target: the slowed benchmark, which it should find; None where none is.
    order: the replicates, in the order in which the gate gets them.
    swapped: whether base and its copy swap their labels in each of them.
    """

    heads: Mapping[str, Head]
    target: str | None
    order: Sequence[int]
    swapped: Sequence[bool]


def run_gates(
    rules: Sequence[Rule], logs: np.ndarray, base: np.ndarray, head: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Decide many gates, as if each had measured one replicate after the other.

    Args:
        rules: that of each metric.
        logs: log ratios, shape (metrics, gates, benchmarks, replicates); with the last replicate a gate ends.
        base, head: both sides' values, of the same shape.

    Returns:
        What is slower, shape (metrics, gates, benchmarks), and how many replicates each gate took.
    """
    _, gates, benchmarks, most = logs.shape
    dropped = np.zeros(logs.shape[:3], bool)
    n = np.full((gates, benchmarks), min(FEWEST, most) - 1)
    unsettled = np.ones(n.shape, bool)

    def evidence(m: int, some: np.ndarray) -> Evidence:
        ratios = LogRatios(rules[m], logs[m, some], base[m, some], head[m, some], n[some])
        return ratios.evidence(benchmarks)

    while unsettled.any():
        n += unsettled
        measuring = unsettled.any(axis=1)
        unsettled[:] = False
        for m in range(len(rules)):
            some = measuring & ~dropped[m].all(axis=1)
            if some.any():  # start and memory are soon dropped everywhere
                dropped[m, some], needed = evidence(m, some).look(dropped[m, some], most)
                unsettled[some] |= needed
    slower = np.zeros(dropped.shape, bool)
    for m in range(len(rules)):
        some = ~dropped[m].all(axis=1)
        slower[m, some] = evidence(m, some).slower()
    return slower & ~dropped, n.max(axis=1)


class Replay:
    """Gates on the replicates of a pool."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.rules = decision.rules(MARGIN)
        self.time = [rule.metric for rule in self.rules].index(TIME)
        self._columns = functools.cache(self._columns_of)

    def _columns_of(self, benchmark: str, side: str) -> np.ndarray:
        """Return log ratio, base's value and head's: shape (swapped, replicates, 3, metrics); NaN without a side."""
        columns = np.full((2, len(self.pool.replicates), 3, len(self.rules)), np.nan)
        for swapped in (False, True):
            base, head = Head(side).sides(swapped)
            for k, replicate in enumerate(self.pool.replicates):
                measured = replicate.sides.get(benchmark, {})
                if base not in measured or head not in measured:
                    continue
                for m, rule in enumerate(self.rules):
                    columns[int(swapped), k, :, m] = (
                        log_ratio(rule.metric, measured[base], measured[head]),
                        measured[base].values[rule.metric],
                        measured[head].values[rule.metric],
                    )
        return columns

    def count(self, draws: Sequence[Draw]) -> tuple[int, int]:
        """Replay gates, all of as many benchmarks and replicates. Each is settled when its replicates end.

        Returns:
            How many call their target slower, by its time; of those without a target, how many raise an alarm. And the
            number of replicates that they all take.
        """
        hits = 0
        used = 0
        for first in range(0, len(draws), AT_ONCE):
            some = draws[first : first + AT_ONCE]
            slower, replicates = run_gates(self.rules, *self._values(some))
            used += int(replicates.sum())
            for k, draw in enumerate(some):
                if draw.target is None:
                    hits += int(slower[:, k].any())
                else:
                    hits += int(slower[self.time, k, list(draw.heads).index(draw.target)])
        return hits, used

    def _values(self, draws: Sequence[Draw]) -> np.ndarray:
        """Return log ratio, base's value and head's of gates: shape (3, metrics, gates, benchmarks, replicates)."""
        rows: dict[tuple[str, str], int] = {}
        row, shift = [], []
        for draw in draws:
            heads = draw.heads.items()
            row.append([rows.setdefault((name, head.side), len(rows)) for name, head in heads])
            shift.append([head.shift for _, head in heads])
        table = np.array([self._columns(*side) for side in rows])
        order = np.array([draw.order for draw in draws])
        swapped = np.array([draw.swapped for draw in draws], int)
        # shape (gates, benchmarks, replicates, 3, metrics)
        values = table[np.array(row)[:, :, None], swapped[:, None], order[:, None]]
        values[..., 0, self.time] += np.array(shift)[:, :, None]
        return np.ascontiguousarray(values.transpose(3, 4, 0, 1, 2))


def count_all(
    pool: Pool, counts: Mapping[Key, Callable[[Pool], T]], advance: Callable[[int, int], None]
) -> dict[Key, T]:
    """Return the result of each count on the replicates of a pool, by its key.

    On each processor a process does a count at a time. The results do not depend on their number: each count has a seed
    of its own. `advance` gets how many counts are done, and how many there are.
    """
    executor = ProcessPoolExecutor(
        len(os.sched_getaffinity(0)),
        # a fork could stop at a lock that a thread of this one holds
        multiprocessing.get_context("spawn"),
        signal.signal,
        (signal.SIGINT, signal.SIG_IGN),  # this process alone gets Ctrl-C
    )
    with executor:
        try:
            futures = {key: executor.submit(count, pool) for key, count in counts.items()}
            # it notices the death of a process only if the process is older than the last task
            executor.submit(int)
            for done, future in enumerate(as_completed(futures.values()), 1):
                future.result()
                advance(done, len(counts))
        except BrokenProcessPool:
            raise click.ClickException(
                "a process that replays gates has died; memory may be too small"
            ) from None
        except BaseException:
            for process in multiprocessing.active_children():  # a count takes minutes
                process.kill()
            raise
    return {key: future.result() for key, future in futures.items()}
