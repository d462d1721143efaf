"""The decision, in two steps: screen everything with a few replicates, confirm with fresh ones what looks worse.

A replicate gives one log ratio of head to base per benchmark and metric; all that is decided here is decided on those.
The confirming replicates are fresh, so what the screen picked by luck is not picked again: Holm's correction over what
is confirmed, at FAMILY, bounds the chance that a run in which nothing changed says "slower" anywhere. Their number is
fixed from the screen's variance before the first of them is measured.
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
"""The chance of a false alarm in a run."""
POWER = 0.97
"""What the confirming replicates are counted for, at 1.5 times the margin."""
FEWEST, MOST = 5, 16
"""Confirming replicates."""
FOUND = 0.9
"""How often the smallest slowdown that a run "could have found" is found."""
SMALLEST_SD = 1e-4
"""No spread is taken for smaller: identical numbers are no proof of a spread of zero."""


@dataclass(frozen=True)
class Rule:
    """What counts as worse for a metric: a ratio, and an absolute difference below which nobody cares."""

    metric: str
    ratio: float
    floor: float = 0.0

    @property
    def margin(self) -> float:
        """The ratio's logarithm."""
        return math.log1p(self.ratio)


def rules(margin: float) -> tuple[Rule, ...]:
    """Per metric; `margin` is that of time, such as 0.02."""
    return (
        Rule("time", margin),
        Rule("start", 0.25, floor=0.05),  # seconds
        Rule("memory", 0.10, floor=8 * 2**20),  # bytes
    )


@dataclass(frozen=True)
class Series:
    """The replicates of one benchmark and metric: log ratios, and both sides' medians in the metric's unit."""

    benchmark: str
    rule: Rule
    logs: tuple[float, ...]
    base: float
    head: float

    @property
    def worse_by(self) -> float:
        """The absolute difference of the medians; infinite where the rule asks for none.

        The medians are not paired as the logs are: a machine that drifts may turn them round.
        """
        return self.head - self.base if self.rule.floor else math.inf


@dataclass(frozen=True)
class Spread:
    """A mean of log ratios, with its standard deviation per replicate and that deviation's degrees of freedom."""

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
        """The 95 % interval of the mean, as logs; infinite where there is no spread to take it from."""
        low, high = t_interval(self._means())
        return float(low[0]), float(high[0])

    def p(self, sign: int = 1) -> float:
        """One-sided: the chance of a mean as large as this (as small, for sign −1) where nothing changed."""
        return float(p_values(self._means(), sign)[0])


def spreads(series: Sequence[Series], share: bool) -> list[Spread]:
    """The Spread of each series; with `share`, variances of the same metric are moderated by each other."""
    metrics = [one.rule.metric for one in series]
    found = means([one.logs for one in series], metrics, SMALLEST_SD, moderate=share)
    columns = zip(found.mean, found.sd, found.freedom, found.n, strict=True)
    return [Spread(float(mean), float(sd), float(freedom), int(n)) for mean, sd, freedom, n in columns]


def threshold(margin: float, error: float) -> float:
    """From which mean of the screen on something looks worse: half the margin, less where the screen is noisy."""
    return float(np.clip(1.5 * margin - 1.96 * error, 0.0, margin / 2))


def suspects(screen: Sequence[Series]) -> list[int]:
    """Which series of the screen are to be confirmed."""
    return [
        k
        for k, (one, spread) in enumerate(zip(screen, spreads(screen, share=True), strict=True))
        if spread.mean > threshold(one.rule.margin, spread.error) and one.worse_by >= one.rule.floor / 2
    ]


def power(effect: float | np.ndarray, margin: float, sd: float, n: int | np.ndarray, alpha: float) -> np.ndarray:
    """At least the chance that n replicates find a slowdown of that size (all logs): sure at alpha, estimated ≥ margin.

    The two are taken as independent; they go together, so the chance is larger than that.
    """
    error = sd / np.sqrt(n)
    sure = stats.nct.sf(stats.t.isf(alpha, np.subtract(n, 1)), np.subtract(n, 1), effect / error)
    return np.asarray(sure * stats.norm.sf((margin - effect) / error))


def count(margin: float, sd: float, alpha: float) -> int:
    """How many confirming replicates find 1.5 times the margin with POWER; MOST where none do."""
    numbers = np.arange(FEWEST, MOST + 1)
    enough = power(1.5 * margin, margin, sd, numbers, alpha) >= POWER
    return int(numbers[np.argmax(enough)]) if enough.any() else MOST


def plan(screen: Sequence[Series], suspected: Sequence[int]) -> dict[str, int]:
    """Per benchmark to be confirmed, how many replicates; a fifth is added to a spread that few replicates gave."""
    all_spreads = spreads(screen, share=True)
    counts: dict[str, int] = {}
    for k in suspected:
        one = screen[k]
        n = count(one.rule.margin, 1.2 * all_spreads[k].sd, FAMILY / len(suspected))
        counts[one.benchmark] = max(n, counts.get(one.benchmark, 0))
    return counts


def smallest(margin: float, spread: Spread, suspected: int) -> float:
    """The smallest slowdown (a ratio less 1) that this run would have found FOUND of the time; NaN where unknown."""
    if spread.freedom <= 0:
        return math.nan
    alpha = FAMILY / max(1, suspected)
    n = count(margin, 1.2 * spread.sd, alpha)
    effects = margin + np.linspace(0.0, 20 * (margin + spread.error), 400)
    screened = stats.norm.sf((threshold(margin, spread.error) - effects) / spread.error)
    found = screened * power(effects, margin, spread.sd, n, alpha) >= FOUND
    return math.expm1(float(effects[np.argmax(found)])) if found.any() else math.nan


@dataclass(frozen=True)
class Finding:
    """What is said of one benchmark and metric."""

    benchmark: str
    metric: str
    verdict: str  # slower, faster, same, unknown
    ratio: float
    low: float
    high: float
    p: float  # one-sided, after Holm; NaN where it was not confirmed
    replicates: int
    confirmed: bool
    base: float
    head: float
    margin: float
    screened: Spread
    suspected: int  # how many are confirmed in this gate

    @property
    def smallest(self) -> float:
        """The smallest slowdown that this run would have found nine times of ten, as a ratio less 1."""
        return smallest(self.margin, self.screened, self.suspected)


def verdicts(screen: Sequence[Series], suspected: Sequence[int], confirm: Sequence[Series]) -> list[Finding]:
    """One Finding per series of the screen. `confirm` has the suspected ones again, from fresh replicates, in order."""
    screened = spreads(screen, share=True)
    confirmed = dict(zip(suspected, zip(confirm, spreads(confirm, share=False), strict=True), strict=True))
    adjusted = dict(zip(suspected, holm(np.array([spread.p() for _, spread in confirmed.values()])), strict=True))
    # faster is no alarm, and is not confirmed: it is said where the screen alone is sure of it
    sped = holm(np.array([spread.p(-1) for spread in screened]))
    found = []
    for k, one in enumerate(screen):
        last, spread = confirmed.get(k, (one, screened[k]))
        low, high = spread.interval()
        margin = one.rule.margin
        if k in confirmed and adjusted[k] < FAMILY and spread.mean >= margin and last.worse_by >= one.rule.floor:
            verdict = "slower"
        elif k not in confirmed and sped[k] < FAMILY and spread.mean <= -margin and abs(one.worse_by) >= one.rule.floor:
            verdict = "faster"
        elif (-margin <= low and high <= margin) or abs(last.worse_by) < one.rule.floor:
            verdict = "same"
        else:
            verdict = "unknown"
        found.append(
            Finding(
                benchmark=one.benchmark,
                metric=one.rule.metric,
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
    return found
