"""Gates that are replayed on the replicates of a pool, by the decision that a real gate takes; many counts at once."""

from __future__ import annotations

import functools
import math
import multiprocessing
import os
import random
import signal
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TypeVar

import click
import numpy as np

from benchmarks.calibration.pool import BASE, COPY, Pool
from benchmarks.regression import decision
from benchmarks.regression.decision import BORROWED, FEWEST, SMALLEST_SD, Evidence, GateKey, Rule
from benchmarks.statistics.intervals import first_moments
from benchmarks.statistics.moderation import moderated

MARGIN = 0.02
"""That of all gates of a calibration."""
AT_ONCE = 200
"""How many gates are replayed at once: as many as a processor's caches hold."""
TIME = "time"
Key = TypeVar("Key", bound=Hashable)
T = TypeVar("T")
Sides = tuple[str, str]
Order = tuple[Sequence[int], Sequence[bool]]
"""Replicates in the order in which a gate gets them, and for each whether base and its copy swap their labels in it."""


@dataclass(frozen=True)
class Head:
    """What a replayed gate compares with base at a benchmark: a side, and what is added to the log ratio.

    A shift is a slowdown of exactly that size, with the noise of a real one.
    """

    side: str = COPY
    shift: float = 0.0

    @property
    def slowed(self) -> bool:
        """Whether it is slower than base."""
        return bool(self.shift) or self.side != COPY

    def sides(self, swapped: bool) -> Sides:
        """Return the labels of the two sides in the pool, base first; `swapped` as in Order."""
        base, copy = (COPY, BASE) if swapped else (BASE, COPY)
        return base, copy if self.side == COPY else self.side


@dataclass(frozen=True)
class Case:
    """What gates compare.

    head: that of the one benchmark that is slowed, which is drawn for each gate; by default, none is slowed.
    alone: whether a gate compares only the benchmarks of the slowed implementation, or of one that is drawn.
    """

    head: Head = Head()
    alone: bool = False

    def draw(self, benchmarks: Sequence[str], rng: random.Random) -> dict[str, Head]:
        """Return the head of each benchmark of a gate."""
        heads, target = dict.fromkeys(benchmarks, Head()), None
        if self.head.slowed:
            target = rng.choice(benchmarks)
            heads[target] = self.head
        if not self.alone:
            return heads
        only = GateKey(target or rng.choice(benchmarks)).implementation
        return {name: head for name, head in heads.items() if GateKey(name).implementation == only}


@dataclass(frozen=True)
class Gate:
    """The result of a replayed gate: the benchmarks and metrics that are slower, and how many replicates it took."""

    slower: frozenset[tuple[str, str]]
    replicates: int

    def found(self, heads: Mapping[str, Head]) -> bool:
        """Whether it called what is slowed slower, by its time; where nothing is slowed, whether it raised an alarm."""
        slowed = {(name, TIME) for name, head in heads.items() if head.slowed}
        return bool(slowed & self.slower if slowed else self.slower)


def run_gates(
    rules: Sequence[Rule], logs: np.ndarray, base: np.ndarray, head: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Decide many gates whose replicates are there already, as if each had measured one after the other.

    Args:
        rules: that of each metric.
        logs: log ratios, shape (gates, metrics, benchmarks, replicates); with the last replicate a gate ends.
        base, head: both sides' values, of the same shape.

    Returns:
        What is slower, shape (gates, metrics, benchmarks), and how many replicates each gate took.
    """
    most, shape = logs.shape[-1], logs.shape[:3]
    n = np.full(shape, min(FEWEST, most) - 1)
    mean, variance, worse_by = np.zeros(shape), np.zeros(shape), np.full(shape, np.inf)
    limits = np.array([(rule.margin, rule.floor, rule.level(shape[2])) for rule in rules]).T
    with_floor = limits[1][:, None] > 0
    slower, dropped, unsettled = np.zeros(shape, bool), np.zeros(shape, bool), np.ones(shape, bool)
    while unsettled.any():
        n += unsettled
        active = np.any(unsettled, axis=(1, 2), keepdims=True)[..., 0]
        needed = np.asarray(
            active & ~np.all(dropped, axis=2)
        )  # each metric of a gate moderates itself
        grown = unsettled & needed[:, :, None]
        mean[grown], variance[grown] = first_moments(logs[grown], n[grown])
        grown &= with_floor & ~dropped
        worse_by[grown] = _first_medians(head[grown], n[grown]) - _first_medians(
            base[grown], n[grown]
        )
        gates, metrics = np.nonzero(needed)
        moderate, freedom = moderated(
            np.maximum(variance[needed], SMALLEST_SD**2), n[needed] - 1.0, BORROWED
        )
        of_rules = np.repeat(limits[:, metrics, None], shape[2], axis=2)
        every = Evidence(
            mean[needed], np.sqrt(moderate), freedom, n[needed], worse_by[needed], *of_rules
        )
        left = ~dropped[needed] & (every.n < most)
        futile, wanting = np.zeros(left.shape, bool), np.zeros(left.shape, bool)
        futile[left], wanting[left] = every[left].futile(), every[left].wanting()
        dropped[needed] |= futile
        more = np.zeros(shape, bool)
        more[needed] = wanting & ~futile
        unsettled = np.broadcast_to(more.any(axis=1, keepdims=True), shape)
        tested = ~dropped[needed] & ~np.any(unsettled, axis=(1, 2), keepdims=True)[gates, :, 0]
        found = np.zeros(left.shape, bool)
        found[tested] = every[tested].slower()
        slower[needed] = found
    return slower, n.max(axis=(1, 2))


def _first_medians(values: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the median of the first n values of each row, as first_moments does."""
    medians = np.empty(n.shape)
    for size in np.unique(n).tolist():
        medians[n == size] = np.median(values[n == size, :size], axis=-1)
    return medians


class Replay:
    """Gates on the replicates of a pool."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.rules = decision.rules(MARGIN)
        self._values = functools.cache(self._values_of)

    def _values_of(self, benchmark: str, sides: Sides) -> np.ndarray:
        """Return log ratio, base's value and head's by metric and replicate, shape (3, metrics, replicates).

        They are NaN without a side.
        """
        columns = np.full((3, len(self.rules), len(self.pool.replicates)), np.nan)
        for k, replicate in enumerate(self.pool.replicates):
            of_side = replicate.values.get(benchmark, {})
            for m, rule in enumerate(self.rules) if set(sides) <= set(of_side) else ():
                before, now = (of_side[side][rule.metric] for side in sides)
                log = (
                    replicate.log_ratio(benchmark, *sides)
                    if rule.metric == TIME
                    else math.log(now / before)
                )
                columns[:, m, k] = log, before, now
        return columns

    def gates(self, drawn: Sequence[tuple[Mapping[str, Head], Order]]) -> list[Gate]:
        """Replay gates, all of as many benchmarks and replicates. Each is settled when its replicates end."""
        lots = (drawn[first : first + AT_ONCE] for first in range(0, len(drawn), AT_ONCE))
        return [gate for lot in lots for gate in self._at_once(lot)]

    def _at_once(self, drawn: Sequence[tuple[Mapping[str, Head], Order]]) -> Iterator[Gate]:
        """Yield the results of gates."""
        kinds = {(name, head.side) for heads, _ in drawn for name, head in heads.items()}
        place = {kind: number for number, kind in enumerate(sorted(kinds))}
        both = (False, True)
        table = np.array(
            [[self._values(name, Head(side).sides(swap)) for swap in both] for name, side in place]
        )
        kind = np.array(
            [[place[name, head.side] for name, head in heads.items()] for heads, _ in drawn]
        )
        shift = np.array([[head.shift for head in heads.values()] for heads, _ in drawn])
        replicates, swapped = (np.array([order[k] for _, order in drawn], int) for k in (0, 1))
        # shape: gates, benchmarks, replicates, 3, metrics
        values = table[kind[:, :, None], swapped[:, None], :, :, replicates[:, None]]
        logs, base, head = np.ascontiguousarray(values.transpose(3, 0, 4, 1, 2))
        logs[:, [rule.metric for rule in self.rules].index(TIME)] += shift[:, :, None]
        for (heads, _), slower, used in zip(
            drawn, *run_gates(self.rules, logs, base, head), strict=True
        ):
            names, metrics = list(heads), [rule.metric for rule in self.rules]
            yield Gate(
                frozenset((names[b], metrics[m]) for m, b in np.argwhere(slower).tolist()),
                int(used),
            )


def count_all(
    pool: Pool, counts: Mapping[Key, Callable[[Replay], T]], advance: Callable[[int, int], None]
) -> dict[Key, T]:
    """Return the result of each count on the replicates of a pool, by its key.

    On each processor a process does a count at a time. The results do not depend on their number: each count has a seed
    of its own. `advance` gets how many counts are done, and how many there are.
    """
    ignoring = signal.SIGINT, signal.SIG_IGN  # this process alone gets Ctrl-C
    spawning = multiprocessing.get_context(
        "spawn"
    )  # a fork could stop at a lock that a thread of this one holds
    with ProcessPoolExecutor(
        len(os.sched_getaffinity(0)), spawning, signal.signal, ignoring
    ) as executor:
        try:
            counted = {key: executor.submit(_count, pool, count) for key, count in counts.items()}
            executor.submit(
                int
            )  # it notices the death of a process only if the process is older than the last task
            for done, future in enumerate(as_completed(counted.values()), 1):
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
    return {key: future.result() for key, future in counted.items()}


def _count(pool: Pool, count: Callable[[Replay], T]) -> T:
    return count(Replay(pool))
