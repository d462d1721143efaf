"""The gate's decision, in two steps: screen everything with a few replicates, then confirm what looks slower.

A replicate gives a log ratio of head to base per benchmark and metric. The decision sees only these. The confirming
replicates are fresh, so a benchmark that looked slower by chance is not confirmed. Holm's correction over what is
confirmed, at FAMILY, limits the chance of any "slower" in a run in which nothing changed. The number of confirming
replicates follows from the screen's variance, and is fixed before the first of them is measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.statistics.intervals import Means, means, p_values, t_interval
from benchmarks.statistics.multiplicity import holm

FAMILY = 0.003
"""The largest chance of a false alarm in a run."""
POWER = 0.97
"""The power that the confirming replicates must reach for a slowdown of 1.5 times the margin."""
FEWEST, MOST = 5, 16
"""The fewest and the most confirming replicates."""
FOUND = 0.9
"""The power at which a slowdown counts as one that the run would have found."""
SMALLEST_SD = 1e-4
"""Smaller spreads are raised to this: identical numbers are no proof of a spread of zero."""


@dataclass(frozen=True)
class Rule:
    """When a metric counts as worse: at least this ratio, and this absolute difference `floor` in the metric's unit."""

    metric: str
    ratio: float
    floor: float = 0.0

    @property
    def margin(self) -> float:
        """The logarithm of 1 plus the ratio."""
        return math.log1p(self.ratio)


def rules(margin: float) -> tuple[Rule, ...]:
    """Return the rule of each metric; `margin` is that of time, such as 0.02."""
    return (
        Rule("time", margin),
        Rule("start", 0.25, floor=0.05),  # seconds
        Rule("memory", 0.10, floor=8 * 2**20),  # bytes
    )


@dataclass(frozen=True)
class LogRatios:
    """The log ratios of a benchmark and metric, one per replicate, and both sides' medians in the metric's unit."""

    benchmark: str
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
class Spread:
    """A mean of log ratios, their standard deviation, its degrees of freedom, and the number of replicates."""

    mean: float
    sd: float
    freedom: float
    n: int

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return self.sd / math.sqrt(self.n)

    def _means(self) -> Means:
        return Means(*(np.array([value]) for value in (self.mean, self.sd, self.freedom, self.n)))

    def interval(self) -> tuple[float, float]:
        """Return the ends of the 95 % interval of the mean, as logs; infinite without degrees of freedom."""
        low, high = t_interval(self._means())
        return float(low[0]), float(high[0])

    def p(self, sign: int = 1) -> float:
        """Return the one-sided p-value: the chance of a mean this large (sign −1: this small) if nothing changed."""
        return float(p_values(self._means(), sign)[0])


def spreads(measured: Sequence[LogRatios], share: bool) -> list[Spread]:
    """Return the Spread of each; with `share`, variances of the same metric moderate each other."""
    metrics = [ratios.rule.metric for ratios in measured]
    groups = means([ratios.logs for ratios in measured], metrics, SMALLEST_SD, moderate=share)
    columns = zip(groups.mean, groups.sd, groups.freedom, groups.n, strict=True)
    return [Spread(float(mean), float(sd), float(freedom), int(n)) for mean, sd, freedom, n in columns]


def threshold(margin: float, error: float) -> float:
    """Return the mean from which on a benchmark is confirmed: half the margin, less where the error is large."""
    return float(np.clip(1.5 * margin - 1.96 * error, 0.0, margin / 2))


def suspects(screen: Sequence[LogRatios]) -> list[int]:
    """Return the indices of what must be confirmed."""
    return [
        k
        for k, (ratios, spread) in enumerate(zip(screen, spreads(screen, share=True), strict=True))
        if spread.mean > threshold(ratios.rule.margin, spread.error) and ratios.worse_by >= ratios.rule.floor / 2
    ]


def power(effect: float | np.ndarray, margin: float, sd: float, n: int | np.ndarray, alpha: float) -> np.ndarray:
    """Return a lower bound of the chance that n replicates find a slowdown: p below alpha, and an estimate ≥ margin.

    The bound takes the two conditions as independent. They are positively correlated, so the chance is larger.

    Args:
        effect: the true slowdown, as a log.
        margin: the margin, as a log.
        sd: the standard deviation of a replicate's log ratio.
        n: the number of replicates.
        alpha: the level of the test.
    """
    error = sd / np.sqrt(n)
    sure = stats.nct.sf(stats.t.isf(alpha, np.subtract(n, 1)), np.subtract(n, 1), effect / error)
    return np.asarray(sure * stats.norm.sf((margin - effect) / error))


def replicates_needed(margin: float, sd: float, alpha: float) -> int:
    """Return how many confirming replicates find 1.5 times the margin with POWER; MOST where even these are too few."""
    numbers = np.arange(FEWEST, MOST + 1)
    enough = power(1.5 * margin, margin, sd, numbers, alpha) >= POWER
    return int(numbers[np.argmax(enough)]) if enough.any() else MOST


def confirming_replicates(screen: Sequence[LogRatios], suspected: Sequence[int]) -> dict[str, int]:
    """Return how many replicates confirm each suspected benchmark. The screen's spread is raised by a fifth."""
    all_spreads = spreads(screen, share=True)
    counts: dict[str, int] = {}
    for k in suspected:
        ratios = screen[k]
        n = replicates_needed(ratios.rule.margin, 1.2 * all_spreads[k].sd, FAMILY / len(suspected))
        counts[ratios.benchmark] = max(n, counts.get(ratios.benchmark, 0))
    return counts


def smallest(margin: float, spread: Spread, suspected: int) -> float:
    """Return the smallest slowdown (ratio − 1) that this run would have found with power FOUND; NaN where unknown."""
    if spread.freedom <= 0:
        return math.nan
    alpha = FAMILY / max(1, suspected)
    n = replicates_needed(margin, 1.2 * spread.sd, alpha)
    effects = margin + np.linspace(0.0, 20 * (margin + spread.error), 400)
    screened = stats.norm.sf((threshold(margin, spread.error) - effects) / spread.error)
    enough = screened * power(effects, margin, spread.sd, n, alpha) >= FOUND
    return math.expm1(float(effects[np.argmax(enough)])) if enough.any() else math.nan


@dataclass(frozen=True)
class Finding:
    """The verdict on a benchmark and metric, with its numbers."""

    benchmark: str
    metric: str
    verdict: str  # slower, faster, same, unknown
    ratio: float
    low: float
    high: float
    p: float  # one-sided, after Holm; NaN where it was not to be confirmed
    replicates: int
    confirmed: bool
    base: float
    head: float
    margin: float
    screened: Spread
    suspected: int  # how many are to be confirmed in this gate

    @property
    def smallest(self) -> float:
        """The smallest slowdown that this run would have found nine times of ten, as ratio − 1."""
        return smallest(self.margin, self.screened, self.suspected)


def verdicts(screen: Sequence[LogRatios], suspected: Sequence[int], confirm: Sequence[LogRatios]) -> list[Finding]:
    """Return a Finding for each entry of the screen.

    Args:
        screen: the log ratios of the screen.
        suspected: the indices of what was to be confirmed.
        confirm: for each of these, in the same order, the log ratios of its confirming replicates.
    """
    screened = spreads(screen, share=True)
    confirmed = dict(zip(suspected, zip(confirm, spreads(confirm, share=False), strict=True), strict=True))
    adjusted = dict(zip(suspected, holm(np.array([spread.p() for _, spread in confirmed.values()])), strict=True))
    # faster is no alarm and is not confirmed: the screen alone decides
    sped = holm(np.array([spread.p(-1) for spread in screened]))
    findings = []
    for k, ratios in enumerate(screen):
        last, spread = confirmed.get(k, (ratios, screened[k]))
        low, high = spread.interval()
        margin, floor = ratios.rule.margin, ratios.rule.floor
        if k in confirmed and adjusted[k] < FAMILY and spread.mean >= margin and last.worse_by >= floor:
            verdict = "slower"
        elif k not in confirmed and sped[k] < FAMILY and spread.mean <= -margin and abs(ratios.worse_by) >= floor:
            verdict = "faster"
        elif (-margin <= low and high <= margin) or abs(last.worse_by) < floor:
            verdict = "same"
        else:
            verdict = "unknown"
        findings.append(
            Finding(
                benchmark=ratios.benchmark,
                metric=ratios.rule.metric,
                verdict=verdict,
                ratio=math.exp(spread.mean),
                low=math.exp(low),
                high=math.exp(min(high, 700.0)),
                p=float(adjusted.get(k, math.nan)),
                replicates=spread.n,
                confirmed=k in confirmed,
                base=last.base,
                head=last.head,
                margin=margin,
                screened=screened[k],
                suspected=len(suspected),
            )
        )
    return findings
