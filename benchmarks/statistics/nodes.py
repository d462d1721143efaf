"""Does a ratio hold on all nodes? Its means on each node are combined with random effects, and nodes are compared.

A node has a value for each replicate: the log of a ratio of times. statsmodels combines the nodes' means; the variance
between nodes is that of Paule and Mandel (1982), the interval that of Hartung and Knapp (2001). The variance within a
node is pooled over all nodes: from four replicates each, a node's own would make weights that are mostly noise, and
intervals of 95 % that hold 90 %. Whether nodes differ is the test of Brown and Forsythe (1974), for variances that
differ; Welch's says so too often where there are many nodes with few replicates. docs/decisions/0015-nodes.md has
the figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from benchmarks.statistics.intervals import LEVEL

DIFFERS = 0.01
"""The level of the test for a difference between nodes, before Holm's correction."""


@dataclass(frozen=True)
class Combined:
    """A mean over nodes, on the scale of the values, with its interval.

    Attributes:
        mean, low, high: the mean, and its interval; infinite with one node.
        spread: the standard deviation between nodes, beyond what replicates explain.
        p: the chance of means so far apart if all nodes have the same; 1 where that can't be tested.
    """

    mean: float
    low: float
    high: float
    spread: float
    p: float


def combined(nodes: Sequence[np.ndarray]) -> Combined:
    """Combine the values of several nodes, at least two each."""
    from statsmodels.stats.meta_analysis import combine_effects  # of the group `fleet`

    means, variances, counts = _of(nodes)
    if len(nodes) == 1:
        return Combined(float(means[0]), -np.inf, np.inf, 0.0, 1.0)
    within = np.average(variances, weights=counts - 1)
    effects = combine_effects(means, within / counts, method_re="iterated", use_t=True)
    mean = float(effects.mean_effect_re)
    spread = float(np.sqrt(max(0.0, effects.tau2)))
    half = float(special.stdtrit(len(nodes) - 1, 0.5 + LEVEL / 2) * effects.sd_eff_w_re_hksj)
    return Combined(mean, mean - half, mean + half, spread, differ(nodes))


def differ(groups: Sequence[np.ndarray]) -> float:
    """Return the chance of means so far apart if all groups have the same, by Brown and Forsythe; 1 with one group."""
    from statsmodels.stats.oneway import anova_generic

    if len(groups) < 2:
        return 1.0
    means, variances, counts = _of(groups)
    return float(anova_generic(means, variances, counts, use_var="bf").pvalue)


def _of(nodes: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean, the variance and the number of values of each node; no variance is below a rounding error."""
    rows = [(np.mean(node), np.var(node, ddof=1), len(node)) for node in nodes]
    means, variances, counts = np.array(rows, float).T
    return means, np.maximum(variances, 1e-18), counts
