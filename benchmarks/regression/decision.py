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
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import special

from benchmarks.statistics.intervals import Means, first_means, first_medians, p_values, t_interval

MARGIN = 0.02
"""The default margin of time: the slowdown that a gate is built to find."""
FAMILY = 0.001
"""What the levels of all tests of a gate add up to. It is a third of the false alarms that are allowed, since stopping
early and what lasts for a whole gate add to them."""
FEWEST = 4
"""After how many replicates a benchmark can be dropped."""
MOST = 40
"""After how many replicates it is settled in any case."""
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
LASTING = 0.02
"""What may last for a whole gate, as a share of the variance of a replicate: the test allows for as much."""
BORROWED = 10.0
"""The most degrees of freedom that a variance borrows from other benchmarks."""
SMALLEST_SD = 1e-4
"""Smaller spreads are raised to this: identical numbers are no proof of a spread of zero."""
UNCLEAR = "unclear"
"""The verdict on what is neither slower nor faster nor the same."""


class GateKey(str):
    """An implementation at a benchmark, written as `torch_cell t64-b16-i128-h128/sequence/forward`."""

    __slots__ = ()

    @classmethod
    def of(cls, implementation: str, benchmark: str) -> GateKey:
        """Return the key of an implementation and the id of a benchmark."""
        return cls(f"{implementation} {benchmark}")

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


def rules(margin: float) -> tuple[Rule, ...]:
    """Return the rule of each metric; `margin` is that of time, such as 0.02."""
    return (
        Rule("time", margin, share=0.8),
        Rule("start", 0.25, floor=0.05, share=0.1),  # seconds
        Rule("memory", 0.10, floor=8 * 2**20, share=0.1),  # bytes
    )


@dataclass(frozen=True)
class LogRatios:
    """What gates have measured by a metric: arrays of shape (..., benchmarks, most), of which the first n count.

    rule: of the metric.
    logs: the log ratio of each replicate.
    base, head: both sides' values, in the metric's unit.
    n: the number of replicates of each benchmark, shape (..., benchmarks).
    keys: the benchmarks of a real gate.
    """

    rule: Rule
    logs: np.ndarray
    base: np.ndarray
    head: np.ndarray
    n: np.ndarray
    keys: Sequence[GateKey] = ()

    def evidence(self, benchmarks: int) -> Evidence:
        """Return the evidence in gates that compare so many benchmarks; in a fleet, the sum over its gates.

        The variances of the benchmarks of a gate moderate each other.
        """
        means = first_means(self.logs, self.n, SMALLEST_SD, BORROWED)
        worse_by = np.full(self.n.shape, math.inf)
        if self.rule.floor:
            worse_by = first_medians(self.head, self.n) - first_medians(self.base, self.n)
        level = FAMILY * self.rule.share / benchmarks
        return Evidence(**vars(means), worse_by=worse_by, rule=self.rule, level=level)


@dataclass(frozen=True)
class Evidence(Means):
    """What the decision knows of benchmarks by one metric: arrays of one shape, such as (gates, benchmarks).

    Its means are of log ratios. Their errors have what may last for a whole gate.

    worse_by: the absolute difference of the sides' medians; infinite for a rule without a floor. The medians are not
        paired, as the logs are: on a machine that drifts, they may differ in the other direction.
    rule: of the metric.
    level: of one test.
    """

    worse_by: np.ndarray
    rule: Rule
    level: float

    def __getitem__(self, chosen: Any) -> Evidence:
        """Return the evidence at some indices, or where a mask is true."""
        return Evidence(
            self.mean[chosen],
            self.sd[chosen],
            self.freedom[chosen],
            self.n[chosen],
            self.worse_by[chosen],
            self.rule,
            self.level,
        )

    @property
    def error(self) -> np.ndarray:
        """The standard error of each mean."""
        return self.error_of(self.n)

    def error_of(self, n: np.ndarray | int) -> np.ndarray:
        """Return the standard errors of means of n replicates."""
        return np.asarray(self.sd * np.sqrt(1 / n + LASTING))

    def power(self, effect: np.ndarray | float, n: np.ndarray | int) -> np.ndarray:
        """Return a lower bound of the chance that n replicates find a slowdown: p below the level, a large estimate.

        The bound takes the two conditions as independent. They are positively correlated, so the chance is larger. The
        effect is the true slowdown, as a log. The means do not count.
        """
        error = self.error_of(n)
        freedom = self.freedom - self.n + n
        # a larger one is as sure; nctdtr is not computed beyond
        size = np.minimum(effect / error, 30.0)
        sure = 1.0 - special.nctdtr(freedom, size, -special.stdtrit(freedom, self.level))
        return np.asarray(sure * special.ndtr((effect - LEAST * self.rule.margin) / error))

    def slower_from(self, share: float = 1.0) -> np.ndarray:
        """Return the mean from which the test calls each slower: p is a share of the level, and half the margin."""
        sure = -special.stdtrit(self.freedom, share * self.level) * self.error
        return np.asarray(np.maximum(sure, LEAST * self.rule.margin))

    def slower(self, share: float = 1.0) -> np.ndarray:
        """Whether the test calls each slower, with p below a share of the level, and the floor reached."""
        large = self.worse_by >= self.rule.floor
        return np.asarray((self.mean >= self.slower_from(share)) & large)

    def futile_below(self, n: np.ndarray | int) -> np.ndarray:
        """Return the mean below which n replicates are futile: a slowdown of the margin would hardly give it."""
        freedom = self.freedom - self.n + n
        return np.asarray(self.rule.margin + special.stdtrit(freedom, FUTILE) * self.error_of(n))

    def futile(self) -> np.ndarray:
        """Whether a slowdown of the margin would hardly give these ratios."""
        far = (self.mean < self.futile_below(self.n)) | (self.worse_by < self.rule.floor / 2)
        return np.asarray((self.n >= FEWEST) & far)

    def look(self, dropped: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Look at the evidence after a replicate.

        A benchmark needs another one unless it is futile or certainly slower. From TESTED replicates on, it needs none
        either if they would find a slowdown of the margin with a chance of POWER.

        Args:
            dropped: what was futile before.
            most: after so many replicates, a benchmark is settled in any case.

        Returns:
            What is futile by now, and what needs another replicate.
        """
        sampled = ~dropped & (self.n < most)
        futile = sampled & self.futile()
        needed = sampled & ~futile & ((self.n < FEWEST) | ~self.slower(CERTAIN))
        late = needed & (self.n >= TESTED)
        needed[late] = self[late].power(self.rule.margin, self.n[late]) < POWER
        return dropped | futile, needed

    def verdicts(self, dropped: np.ndarray) -> np.ndarray:
        """Return the verdict on each, of which some were dropped."""
        margin = self.rule.margin
        low, high = t_interval(self)
        difference = np.abs(self.worse_by)
        faster = p_values(self, -1) < self.level
        faster &= (self.mean <= -LEAST * margin) & (difference >= self.rule.floor)
        same = (-margin <= low) & (high <= margin) | (difference < self.rule.floor)
        rows = [self.slower() & ~dropped, faster, same]
        return np.select(rows, ["slower", "faster", "same"], UNCLEAR)


@dataclass(frozen=True)
class Sampling:
    """Which benchmarks of a gate need more replicates.

    benchmarks: how many benchmarks the gate compares; in a fleet, the sum over its gates.
    most: after so many replicates, a benchmark is settled in any case.
    dropped: the benchmarks and metrics that were futile.
    """

    benchmarks: int
    most: int = MOST
    dropped: set[tuple[GateKey, str]] = field(default_factory=set)

    def dropped_of(self, ratios: LogRatios) -> np.ndarray:
        """Return which benchmarks were dropped by a metric, shape (benchmarks,)."""
        return np.array([(key, ratios.rule.metric) in self.dropped for key in ratios.keys], bool)

    def unsettled(self, measured: Sequence[LogRatios]) -> set[GateKey]:
        """Drop what is futile, and return the benchmarks that need another replicate."""
        unsettled = set[GateKey]()
        for ratios in measured:
            evidence = ratios.evidence(self.benchmarks)
            looked = evidence.look(self.dropped_of(ratios), self.most)
            for key, dropped, needed in zip(ratios.keys, *looked, strict=True):
                if dropped:
                    self.dropped.add((key, ratios.rule.metric))
                if needed:
                    unsettled.add(key)
        return unsettled
