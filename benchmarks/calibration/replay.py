"""Gates that are replayed on the replicates of a pool, by the decision that a real gate takes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.calibration.pool import BASE, COPY, METRICS, Pool
from benchmarks.regression import decision
from benchmarks.regression.decision import FEWEST, MOST, Finding, LogRatios, Rule, Sampling
from benchmarks.regression.log_ratios import of_values

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
class Gate:
    """The result of a replayed gate: its findings, and how many replicates it took."""

    findings: list[Finding]
    replicates: int

    def slower(self, metrics: Sequence[str] = METRICS) -> set[str]:
        """Return the benchmarks that are slower by one of these metrics."""
        return {one.benchmark for one in self.findings if one.verdict == "slower" and one.metric in metrics}


def run_gate(benchmarks: Iterable[str], sampling: Sampling, drawn: Callable[[str, int], Sequence[LogRatios]]) -> Gate:
    """Run the whole decision on replicates that are there already.

    Args:
        benchmarks: what is compared.
        sampling: that of a new gate.
        drawn: gives the log ratios of a benchmark's first n replicates, by each rule.
    """
    unsettled, measured = set(benchmarks), []
    used = dict.fromkeys(benchmarks, min(FEWEST, sampling.most) - 1)
    while unsettled:
        for benchmark in unsettled:
            used[benchmark] += 1
        measured = [ratios for benchmark, n in used.items() for ratios in drawn(benchmark, n)]
        unsettled = sampling.unsettled(measured)
    return Gate(decision.verdicts(measured, sampling), max(used.values()))


class Replay:
    """Gates on the replicates of a pool."""

    def __init__(self, pool: Pool, margin: float) -> None:
        self.pool = pool
        self.rules = decision.rules(margin)
        self.values = functools.cache(self._values)

    def _values(self, replicate: int, benchmark: str, sides: Sides, metric: str) -> tuple[float, float, float]:
        """Return the log ratio of a replicate, and both sides' values."""
        before, now = (self.pool.values[replicate][benchmark][side][metric] for side in sides)
        if metric == "time":
            return self.pool.log_ratio(replicate, benchmark, *sides), before, now
        return math.log(now / before), before, now

    def gate(self, heads: Mapping[str, Head], order: Order) -> Gate:
        """Replay a gate.

        Args:
            heads: what is compared, by benchmark.
            order: the replicates. Its benchmarks are settled when they end.
        """
        drawn = {name: Drawn(self, name, head, order) for name, head in heads.items()}
        return run_gate(heads, Sampling(len(heads), min(MOST, len(order))), lambda name, n: drawn[name].first(n))


class Drawn:
    """The log ratios of a benchmark in a replayed gate, which asks for more and more of them."""

    def __init__(self, replay: Replay, benchmark: str, head: Head, order: Order) -> None:
        self.replay, self.benchmark, self.head, self.order = replay, benchmark, head, order
        self.columns: dict[Rule, tuple[list[float], list[float], list[float]]] = {
            rule: ([], [], []) for rule in replay.rules
        }
        self.n, self.last = 0, list[LogRatios]()

    def first(self, n: int) -> list[LogRatios]:
        """Return those of the first n replicates, by each rule."""
        if n != self.n:
            self.n, self.last = n, [self._of(rule, n) for rule in self.replay.rules]
        return self.last

    def _of(self, rule: Rule, n: int) -> LogRatios:
        logs, base, now = self.columns[rule]
        shift = self.head.shift if rule.metric == "time" else 0.0
        for k, swapped in self.order[len(logs) : n]:
            log, before, after = self.replay.values(k, self.benchmark, self.head.sides(swapped), rule.metric)
            logs.append(log + shift)
            base.append(before)
            now.append(after)
        return of_values(self.benchmark, rule, base, now, logs)
