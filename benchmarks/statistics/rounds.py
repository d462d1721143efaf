"""Intervals that hold the next round: in 95 of 100 cases, one round and the mean of the others agree within them.

A round is a run: fresh processes and caches, at another time. Its replicates share something that lasts for a round, so
what they say among themselves is too narrow for another round. docs/decisions/0028-rounds.md has the figures.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.statistics.intervals import Means


def mean_of_rounds(rounds: Means) -> Means:
    """Return means whose values are rounds, with the error of the difference to one more round."""
    return replace(rounds, sd=rounds.sd * np.sqrt(rounds.n + 1))


def mean_of_replicates(replicates: Means, lasting: float) -> Means:
    """Return means whose values are the replicates of one round, with what lasts for a round added to their error.

    `lasting` is its standard deviation, on the scale of the values.
    """
    return replace(replicates, sd=np.sqrt(replicates.sd**2 + replicates.n * lasting**2))


def lasting(groups: Sequence[Sequence[np.ndarray]]) -> float:
    """Return the standard deviation of what lasts for a round: one number for all groups.

    A group has for each of its rounds, two or more, the values of at least two replicates.
    """
    beyond = []
    for rounds in groups:
        within = np.mean([values.var(ddof=1) / len(values) for values in rounds])
        beyond.append(np.var([values.mean() for values in rounds], ddof=1) - within)
    return float(np.sqrt(max(0.0, np.mean(beyond))))
