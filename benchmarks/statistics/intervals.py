"""Means of few values, with t intervals and p-values. The variances of many groups may moderate each other.

A value comes from a replicate, which is a set of fresh processes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special  # many times as fast as scipy.stats, which checks its arguments

from benchmarks.statistics.moderation import MOST_FREEDOM, moderated

LEVEL = 0.95
"""The level of the intervals that are shown."""


@dataclass(frozen=True)
class Means:
    """The mean of each group, the standard deviation of a value, its degrees of freedom, the number of values.

    Every array has the same shape, such as (groups,).
    """

    mean: np.ndarray
    sd: np.ndarray
    freedom: np.ndarray
    n: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """The standard error of each mean."""
        return np.asarray(self.sd / np.sqrt(self.n))


def first_moments(values: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the variance of the first n values of each row; the variance of a single value is 0.

    values: shape (..., most). n: the number for each row, shape (...), as have the results.
    """
    mean, variance = np.zeros(n.shape), np.zeros(n.shape)
    for size in np.unique(
        n[n > 0]
    ).tolist():  # rows of a size together, which is many times as fast
        those = n == size
        firsts = values[those, :size]
        mean[those] = firsts.mean(axis=-1)
        if size > 1:
            variance[those] = firsts.var(axis=-1, ddof=1)
    return mean, variance


def means(
    groups: Sequence[np.ndarray | Sequence[float]],
    families: Sequence[Hashable] | None = None,
    least_sd: float = 0.0,
    most_freedom: float = MOST_FREEDOM,
) -> Means:
    """Return the mean of each group, its variance and its degrees of freedom.

    Args:
        groups: the values of each group, at least one; a single value has no degrees of freedom.
        families: the family of each group, within which variances are moderated; None puts all groups into one family.
        least_sd: a smaller standard deviation is raised to this.
        most_freedom: the most degrees of freedom that a variance borrows; 0 leaves each as it is.
    """
    n = np.array([len(group) for group in groups], int)
    values = np.zeros((len(n), n.max(initial=0)))
    for row, group in zip(values, groups, strict=True):
        row[: len(group)] = group
    mean, own = first_moments(values, n)
    variance, freedom = np.maximum(own, least_sd**2), n - 1.0
    if most_freedom:
        families = [None] * len(groups) if families is None else families
        for family in dict.fromkeys(families):
            members = np.array([other == family for other in families])
            variance[members], freedom[members] = moderated(
                variance[members], freedom[members], most_freedom
            )
    return Means(mean, np.sqrt(variance), freedom, n)


def t_interval(groups: Means, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of each mean's interval; infinite where there are no degrees of freedom."""
    with np.errstate(invalid="ignore"):
        half = special.stdtrit(np.maximum(groups.freedom, 1e-3), 0.5 + level / 2) * groups.error
    half = np.where(groups.freedom > 0, half, np.inf)
    return groups.mean - half, groups.mean + half


def p_values(groups: Means, sign: int = 0) -> np.ndarray:
    """Return the chance of a mean at least this far from 0 if the true mean is 0; 1 without degrees of freedom.

    Sign 1 counts only means above 0, −1 only those below, 0 both.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(groups.mean == 0, 0.0, groups.mean / groups.error)
    freedom = np.maximum(groups.freedom, 1e-3)
    p = special.stdtr(freedom, -sign * t) if sign else 2 * special.stdtr(freedom, -np.abs(t))
    return np.where(groups.freedom > 0, p, 1.0)


def holm(p: np.ndarray) -> np.ndarray:
    """Return p-values with Holm's correction for multiple comparisons. NaN stays NaN, and is no comparison."""
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known])]
    steps = p[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted
