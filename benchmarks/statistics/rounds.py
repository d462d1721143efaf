"""Intervals that hold one more round: in 95 of 100 cases, its value lies within.

A round is a run: fresh processes and caches, at another time. Its replicates share something that lasts for a round, so
what they say among themselves is too narrow for another round. docs/decisions/0035-beyond-the-hour.md has the figures.
"""

from dataclasses import replace

import numpy as np

from benchmarks.statistics.intervals import Means

OF_MEDIAN = np.array([1.0, 1.0, 1.0, 1.35, 1.19, 1.43, 1.29, 1.47, 1.34, np.pi / 2])
"""The variance of a median over that of a mean, of so many normal values; the last one is of more."""


def effective(number: np.ndarray) -> np.ndarray:
    """Return of how many values a mean has the variance that the median of so many has."""
    return np.asarray(number / OF_MEDIAN[np.minimum(number, len(OF_MEDIAN) - 1)])


def mean_of_rounds(replicates: Means, lasting: np.ndarray, freedom: np.ndarray) -> Means:
    """Return values over rounds with the standard deviation of a round: what replicates explain, and what lasts.

    The degrees of freedom are Satterthwaite's (1946).

    Args:
        replicates: the values, the standard deviation of a round that its replicates explain, its degrees of freedom,
            and the number of rounds.
        lasting, freedom: the standard deviation of what lasts for a round, on the scale of the values, and its degrees
            of freedom.
    """
    of_replicates = replicates.sd**2
    variance = of_replicates + lasting**2
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = of_replicates**2 / replicates.freedom + lasting**4 / freedom
        combined = np.where(variance > 0, variance**2 / spread, replicates.freedom)
    return replace(replicates, sd=np.sqrt(variance), freedom=combined)


def one_more(rounds: Means) -> Means:
    """Return means over rounds with the error of their difference to one more round."""
    return replace(rounds, sd=rounds.sd * np.sqrt(rounds.n + 1))
