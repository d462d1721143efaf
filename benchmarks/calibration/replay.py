"""Gates that are replayed on the replicates of a pool, by the decision that a real gate takes."""

from __future__ import annotations

import functools
import math
import random
import statistics
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.calibration.pool import BASE, COPY, METRICS, Pool
from benchmarks.regression import decision
from benchmarks.regression.decision import FEWEST, MOST, Finding, GateKey, LogRatios, Sampling

MARGIN = 0.02
"""That of all gates of a calibration."""
Sides = tuple[str, str]
Order = Sequence[tuple[int, bool]]
"""Replicates in the order in which a gate gets them, each with whether base and its copy swap their labels in it."""


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
    target: the benchmark that is slowed; empty for one that is drawn.
    """

    head: Head = Head()
    alone: bool = False
    target: str = ""

    def draw(self, benchmarks: Sequence[str], rng: random.Random) -> dict[str, Head]:
        """Return the head of each benchmark of a gate."""
        heads, target = dict.fromkeys(benchmarks, Head()), None
        if self.head.slowed:
            target = self.target or rng.choice(benchmarks)
            heads[target] = self.head
        if not self.alone:
            return heads
        only = GateKey(target or rng.choice(benchmarks)).implementation
        return {name: head for name, head in heads.items() if GateKey(name).implementation == only}


@dataclass(frozen=True)
class Gate:
    """The result of a replayed gate: its findings, and how many replicates it took."""

    findings: list[Finding]
    replicates: int

    def slower(self, metrics: Sequence[str] = METRICS) -> set[str]:
        """Return the benchmarks that are slower by one of these metrics."""
        return {
            finding.benchmark for finding in self.findings if finding.verdict == "slower" and finding.metric in metrics
        }

    def found(self, heads: Mapping[str, Head]) -> bool:
        """Whether it called what is slowed slower, by its time; where nothing is slowed, whether it raised an alarm."""
        slowed = {name for name, head in heads.items() if head.slowed}
        return bool(slowed & self.slower(["time"]) if slowed else self.slower())


def run_gate(benchmarks: Iterable[str], sampling: Sampling, drawn: Callable[[str, int], Sequence[LogRatios]]) -> Gate:
    """Run the whole decision on replicates that are there already.

    `drawn` gives the log ratios of a benchmark's first n replicates, by each rule.
    """
    unsettled: Collection[str] = set(benchmarks)
    measured: Sequence[LogRatios] = []
    used = dict.fromkeys(benchmarks, min(FEWEST, sampling.most) - 1)
    while unsettled:
        for benchmark in unsettled:
            used[benchmark] += 1
        measured = [ratios for benchmark, n in used.items() for ratios in drawn(benchmark, n)]
        unsettled = sampling.unsettled(measured)
    return Gate(decision.verdicts(measured, sampling), max(used.values()))


class Replay:
    """Gates on the replicates of a pool."""

    def __init__(self, pool: Pool, margin: float = MARGIN) -> None:
        self.pool = pool
        self.rules = decision.rules(margin)
        self.values = functools.cache(self._values)

    def _values(self, benchmark: str, sides: Sides, metric: str) -> np.ndarray:
        """Return log ratio, base's value and head's for each replicate, shape (3, replicates); NaN without a side."""
        columns = np.full((3, len(self.pool.replicates)), np.nan)
        for k, replicate in enumerate(self.pool.replicates):
            of_side = replicate.values.get(benchmark, {})
            if set(sides) <= set(of_side):
                before, now = (of_side[side][metric] for side in sides)
                log = replicate.log_ratio(benchmark, *sides) if metric == "time" else math.log(now / before)
                columns[:, k] = log, before, now
        return columns

    def gate(self, heads: Mapping[str, Head], order: Order) -> Gate:
        """Replay a gate. Its benchmarks are settled when the replicates end."""
        replicates, swaps = [k for k, _ in order], np.array([swapped for _, swapped in order])

        @functools.cache
        def columns(name: str, metric: str) -> list[list[float]]:
            plain, swapped = (
                self.values(name, heads[name].sides(swap), metric)[:, replicates] for swap in (False, True)
            )
            both = np.where(swaps, swapped, plain)
            both[0] += heads[name].shift if metric == "time" else 0.0
            return list(both.tolist())

        @functools.cache
        def first(name: str, n: int) -> list[LogRatios]:
            found = []
            for rule in self.rules:
                logs, before, now = (column[:n] for column in columns(name, rule.metric))
                middle = statistics.median(before), statistics.median(now)
                found.append(LogRatios(GateKey(name), rule, tuple(logs), *middle))
            return found

        return run_gate(heads, Sampling(len(heads), min(MOST, len(order))), first)
