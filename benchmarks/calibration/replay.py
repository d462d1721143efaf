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
AA = (BASE, COPY)


@dataclass(frozen=True)
class Head:
    """What a replayed gate compares at a benchmark: two sides, and what is added to the log ratio.

    A shift is a slowdown of exactly that size, with the noise of a real one.
    """

    sides: Sides = AA
    shift: float = 0.0


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

    def drawn(self, benchmark: str, head: Head, rule: Rule, order: Sequence[int]) -> LogRatios:
        """Return the log ratios of these replicates."""
        logs, base, now = zip(*(self.values(k, benchmark, head.sides, rule.metric) for k in order), strict=True)
        shift = head.shift if rule.metric == "time" else 0.0
        return of_values(benchmark, rule, base, now, [log + shift for log in logs])

    def gate(self, heads: Mapping[str, Head], order: Sequence[int]) -> Gate:
        """Replay a gate.

        Args:
            heads: what is compared, by benchmark.
            order: the replicates, in the order in which the gate gets them. Its benchmarks are settled when they end.
        """
        most = min(MOST, len(order))
        sampling = Sampling(len(heads), most)
        return run_gate(
            heads,
            sampling,
            lambda benchmark, n: [self.drawn(benchmark, heads[benchmark], rule, order[:n]) for rule in self.rules],
        )
