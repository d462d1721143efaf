"""Means of few values, with t intervals and p-values. The variances of many groups may moderate each other.

A value comes from a replicate, which is a set of fresh processes.
"""

import itertools
from collections.abc import Sequence
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


def first_means(
    values: np.ndarray, n: np.ndarray, least_sd: float = 0.0, most_freedom: float = MOST_FREEDOM
) -> Means:
    """Return the mean of the first n values of each group. A single value has no degrees of freedom.

    Args:
        values: shape (..., groups, most). The variances along the axis of the groups moderate each other.
        n: the number of each group, shape (..., groups), as have the results.
        least_sd: a smaller standard deviation is raised to this.
        most_freedom: the most degrees of freedom that a variance borrows; 0 leaves each as it is.
    """
    mean = np.zeros(n.shape)
    variance = np.zeros(n.shape)
    for size in np.unique(n[n > 0]).tolist():  # groups of a size together: many times as fast
        alike = n == size
        firsts = values[alike, :size]
        mean[alike] = firsts.mean(axis=-1)
        if size > 1:
            variance[alike] = firsts.var(axis=-1, ddof=1)
    variance = np.maximum(variance, least_sd**2)
    freedom = n - 1.0
    if most_freedom:
        variance, freedom = moderated(variance, freedom, most_freedom)
    return Means(mean, np.sqrt(variance), freedom, n)


def first_medians(values: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the median of the first n values of each group, at least one; the shapes are as in first_means."""
    medians = np.zeros(n.shape)
    for size in np.unique(n).tolist():
        alike = n == size
        medians[alike] = np.median(values[alike, :size], axis=-1)
    return medians


def means(
    groups: Sequence[np.ndarray | Sequence[float]], most_freedom: float = MOST_FREEDOM
) -> Means:
    """Return the mean of each group, at least one value each; their variances moderate each other."""
    n = np.array([len(group) for group in groups], int)
    filled = itertools.zip_longest(*groups, fillvalue=0.0)
    return first_means(np.array(list(filled)).T, n, most_freedom=most_freedom)


def t_interval(groups: Means) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of each mean's interval; infinite where there are no degrees of freedom."""
    with np.errstate(invalid="ignore"):
        half = special.stdtrit(np.maximum(groups.freedom, 1e-3), 0.5 + LEVEL / 2) * groups.error
    half = np.where(groups.freedom > 0, half, np.inf)
    return groups.mean - half, groups.mean + half


def p_values(groups: Means, sign: int = 0) -> np.ndarray:
    """Return the chance of a mean at least this far from 0 if the true mean is 0; 1 without degrees of freedom.

    Sign 1 counts only means above 0, −1 only means below, 0 both.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(groups.mean == 0, 0.0, groups.mean / groups.error)
    freedom = np.maximum(groups.freedom, 1e-3)
    p = special.stdtr(freedom, -sign * t) if sign else 2 * special.stdtr(freedom, -np.abs(t))
    return np.where(groups.freedom > 0, p, 1.0)


def holm(p: np.ndarray) -> np.ndarray:
    """Return p-values with Holm's correction for multiple comparisons. NaN stays NaN, and is no comparison."""
    number = np.count_nonzero(~np.isnan(p))
    order = np.argsort(p)[:number]  # NaN would come last
    steps = p[order] * np.arange(number, 0, -1)
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted
