"""The gate's decision: replicates are added until each benchmark is settled, then there is one test.

A replicate gives a log ratio of head to base per benchmark and metric. The decision sees only these.

From the fourth replicate on, a benchmark is dropped once it is futile: its mean lies so far below the margin that a
slowdown of the margin would hardly give it. Dropping can only prevent an alarm. For the others, sampling ends when the
test would find a slowdown of exactly the margin with POWER, but not before TESTED replicates. That follows from the
spread and not from the mean: to stop because a mean looks large is how a gate cries wolf. The one exception is a
slowdown whose p-value is a thousandth of what the test asks for (CERTAIN). In the end there is one test
for each benchmark that was not dropped, on all its replicates. The levels of all tests of a gate add up to FAMILY. The
chance of any "slower" in a gate in which nothing changed is another one: to stop where the spread happens to be small
adds to it, and so does what lasts for a whole gate, beyond what the test allows for (LASTING). Dropping takes away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import msgspec
import numpy as np
from scipy import special

from benchmarks.statistics.intervals import Means, means, p_values, t_interval

FAMILY = 0.001
"""What the levels of all tests of a gate add up to. It is a third of the false alarms that are allowed, since stopping
early and what lasts for a whole gate add to them."""
FEWEST, MOST = 4, 40
"""After how many replicates a benchmark can be dropped, and after how many it is settled in any case."""
TESTED = 8
"""The fewest replicates of a benchmark that is not dropped: a few that happen to be alike would look sure."""
FUTILE = 0.01
"""The chance at one look that a slowdown of the margin has a mean as low as one that is futile."""
POWER = 0.97
"""The power for a slowdown of the margin at which sampling ends."""
CERTAIN = 0.001
"""The share of the test's level that the p-value of a slowdown must be below to need no more replicates."""
LEAST = 0.5
"""The share of the margin that the estimate of a slowdown must reach."""
FOUND = 0.9
"""The power at which a slowdown counts as one that the gate would have found."""
LASTING = 0.02
"""What may last for a whole gate, as a share of the variance of a replicate: the test allows for as much."""
BORROWED = 10.0
"""The most degrees of freedom that a variance borrows from those of other benchmarks."""
SMALLEST_SD = 1e-4
"""Smaller spreads are raised to this: identical numbers are no proof of a spread of zero."""
UNCLEAR = "unclear"
"""The verdict on what is neither slower nor faster nor the same."""


class GateKey(str):
    """An implementation at a benchmark, written as `torch_cell t64-b16-i128-h128/sequence/forward`."""

    __slots__ = ()

    @property
    def implementation(self) -> str:
        """The name of the implementation."""
        return self.rpartition(" ")[0]

    @property
    def benchmark(self) -> str:
        """The id of the benchmark."""
        return self.rpartition(" ")[2]


@dataclass(frozen=True)
class Rule:
    """When a metric counts as worse.

    metric: time, start or memory.
    ratio: the margin, such as 0.02 for 2 %.
    floor: the absolute difference, in the metric's unit, below which nothing is worse.
    share: the metric's share of FAMILY.
    """

    metric: str
    ratio: float
    floor: float = 0.0
    share: float = 1.0

    @property
    def margin(self) -> float:
        """The logarithm of 1 plus the ratio."""
        return math.log1p(self.ratio)

    def level(self, benchmarks: int) -> float:
        """Return the level of one test in a gate of so many benchmarks."""
        return FAMILY * self.share / benchmarks


def rules(margin: float) -> tuple[Rule, ...]:
    """Return the rule of each metric; `margin` is that of time, such as 0.02."""
    return (
        Rule("time", margin, share=0.8),
        Rule("start", 0.25, floor=0.05, share=0.1),  # seconds
        Rule("memory", 0.10, floor=8 * 2**20, share=0.1),  # bytes
    )


@dataclass(frozen=True)
class LogRatios:
    """The log ratios of a benchmark and metric, one per replicate, and both sides' medians in the metric's unit."""

    benchmark: GateKey
    rule: Rule
    logs: tuple[float, ...]
    base: float
    head: float

    @property
    def worse_by(self) -> float:
        """The absolute difference of the medians; infinite for a rule without a floor.

        The medians are not paired, as the logs are: on a machine that drifts, they may differ in the other direction.
        """
        return self.head - self.base if self.rule.floor else math.inf


@dataclass(frozen=True)
class Evidence(Means):
    """What the decision knows of benchmarks and metrics: arrays of one shape.

    Its means are of log ratios. Their errors have what may last for a whole gate.

    worse_by: as of LogRatios.
    margin, floor: of the rule; level: of one test.
    """

    worse_by: np.ndarray
    margin: np.ndarray
    floor: np.ndarray
    level: np.ndarray

    def __getitem__(self, those: Any) -> Evidence:
        """Return those of some indices, or where a mask is true."""
        return Evidence(*(getattr(self, field.name)[those] for field in fields(self)))

    @property
    def error(self) -> np.ndarray:
        """The standard error of each mean."""
        return self.error_of(self.n)

    def error_of(self, n: np.ndarray | int) -> np.ndarray:
        """Return the standard errors of means of n replicates."""
        return np.asarray(self.sd * np.sqrt(1 / n + LASTING))

    def power(self, effect: np.ndarray, n: np.ndarray | int) -> np.ndarray:
        """Return a lower bound of the chance that n replicates find a slowdown: p below the level, a large estimate.

        The bound takes the two conditions as independent. They are positively correlated, so the chance is larger. The
        effect is the true slowdown, as a log. The means do not count.
        """
        error, freedom = self.error_of(n), self.freedom - self.n + n
        size = np.minimum(
            effect / error, 30.0
        )  # a larger one is as sure; nctdtr is not computed beyond
        sure = 1.0 - special.nctdtr(freedom, size, -special.stdtrit(freedom, self.level))
        return np.asarray(sure * special.ndtr((effect - LEAST * self.margin) / error))

    def slower(self, share: float = 1.0) -> np.ndarray:
        """Whether the test calls each slower: p below a share of the level, half the margin reached, and the floor."""
        sure = p_values(self, 1) < share * self.level
        return np.asarray(sure & (self.mean >= LEAST * self.margin) & (self.worse_by >= self.floor))

    def futile(self) -> np.ndarray:
        """Whether a slowdown of the margin would hardly give these ratios."""
        far = self.mean < self.margin + special.stdtrit(self.freedom, FUTILE) * self.error
        return np.asarray((self.n >= FEWEST) & (far | (self.worse_by < self.floor / 2)))

    def wanting(self) -> np.ndarray:
        """Whether each that is not futile needs another replicate."""
        wanting = np.asarray((self.n < FEWEST) | ~self.slower(CERTAIN))
        late = wanting & (self.n >= TESTED)
        planned = self[late]
        wanting[late] = planned.power(planned.margin, planned.n) < POWER
        return wanting


def evidence(measured: Sequence[LogRatios], benchmarks: int) -> Evidence:
    """Return the evidence in a gate of so many benchmarks; the variances of the same metric moderate each other."""
    metrics = [ratios.rule.metric for ratios in measured]
    groups = means(
        [ratios.logs for ratios in measured], metrics, SMALLEST_SD, most_freedom=BORROWED
    )
    rules = [
        (each.worse_by, each.rule.margin, each.rule.floor, each.rule.level(benchmarks))
        for each in measured
    ]
    return Evidence(groups.mean, groups.sd, groups.freedom, groups.n, *np.reshape(rules, (-1, 4)).T)


@dataclass(frozen=True)
class Sampling:
    """Which benchmarks of a gate need more replicates.

    benchmarks: how many benchmarks the gate compares; in a fleet, those of all its gates.
    most: after so many replicates, a benchmark is settled in any case.
    dropped: the benchmarks and metrics that were futile.
    """

    benchmarks: int
    most: int = MOST
    dropped: set[tuple[GateKey, str]] = field(default_factory=set)

    def unsettled(self, measured: Sequence[LogRatios]) -> set[GateKey]:
        """Drop what is futile, and return the benchmarks that need another replicate."""
        found, every = set[GateKey](), evidence(measured, self.benchmarks)
        for ratios, n, futile, wanting in zip(
            measured, every.n, every.futile(), every.wanting(), strict=True
        ):
            key = ratios.benchmark, ratios.rule.metric
            if key not in self.dropped and n < self.most:
                if futile:
                    self.dropped.add(key)
                elif wanting:
                    found.add(ratios.benchmark)
        return found


class Finding(msgspec.Struct, frozen=True):
    """The verdict on a benchmark and metric, with its numbers. regression.json has these fields.

    Attributes:
        benchmark: implementation and benchmark.
        metric: time, start or memory.
        verdict: slower, faster, same or unclear.
        ratio: head over base.
        low, high: the ends of its 95 % interval; None where there is none, with a single replicate.
        smallest: the smallest slowdown that this gate would have found nine times of ten, as ratio − 1; None where
            unclear, or not computed.
        replicates: how many there were.
        tests: how many tests share the chance of a false alarm.
        base, head: the medians of both sides, in the metric's unit.
        dropped: whether sampling had ended early, because a slowdown of the margin would hardly give these ratios.
    """

    benchmark: GateKey
    metric: str
    verdict: str
    ratio: float
    low: float | None
    high: float | None
    smallest: float | None
    replicates: int
    tests: int
    base: float = 0.0
    head: float = 0.0
    dropped: bool = False


def smallest(alone: Evidence, most: int = MOST) -> float:
    """Return the smallest slowdown (ratio − 1) that a gate finds with power FOUND at a spread; NaN where unclear.

    `alone` is of a single benchmark and metric.
    """
    if alone.freedom <= 0:
        return math.nan
    numbers = range(min(TESTED, most), most + 1)
    n = next((n for n in numbers if alone.power(alone.margin, n) >= POWER), most)
    first = min(FEWEST, most)
    effects = LEAST * alone.margin + np.linspace(0.0, 20 * (alone.margin + alone.error), 2000)
    error, freedom = alone.error_of(first), alone.freedom - alone.n + first
    least = alone.margin + special.stdtrit(freedom, FUTILE) * error
    kept = special.stdtr(freedom, (effects - least) / error)  # not dropped at the first look
    enough = kept * alone.power(effects, n) >= FOUND
    return math.expm1(float(effects[np.argmax(enough)])) if enough.any() else math.nan


def verdicts(
    measured: Sequence[LogRatios], sampling: Sampling, sizes: bool = False
) -> list[Finding]:
    """Return the Finding of each benchmark and metric, once sampling has ended; `sizes` computes `smallest`, too."""
    findings, every = [], evidence(measured, sampling.benchmarks)
    slower, (lows, highs), faster = (
        every.slower(),
        t_interval(every),
        p_values(every, -1) < every.level,
    )
    for k, ratios in enumerate(measured):
        margin, floor, low, high = (
            ratios.rule.margin,
            ratios.rule.floor,
            float(lows[k]),
            float(highs[k]),
        )
        dropped, mean = (
            (ratios.benchmark, ratios.rule.metric) in sampling.dropped,
            float(every.mean[k]),
        )
        if slower[k] and not dropped:
            verdict = "slower"
        elif faster[k] and mean <= -LEAST * margin and abs(ratios.worse_by) >= floor:
            verdict = "faster"
        elif (-margin <= low and high <= margin) or abs(ratios.worse_by) < floor:
            verdict = "same"
        else:
            verdict = UNCLEAR
        size = smallest(every[k], sampling.most) if sizes else math.nan
        findings.append(
            Finding(
                benchmark=ratios.benchmark,
                metric=ratios.rule.metric,
                verdict=verdict,
                ratio=math.exp(mean),
                low=math.exp(low) if math.isfinite(high) else None,
                high=math.exp(min(high, 700.0)) if math.isfinite(high) else None,
                smallest=size if math.isfinite(size) else None,
                replicates=len(ratios.logs),
                tests=sampling.benchmarks,
                base=ratios.base,
                head=ratios.head,
                dropped=dropped,
            )
        )
    return findings
