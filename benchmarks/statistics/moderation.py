"""Variances of many comparisons, each from few replicates, made steadier by what they have in common.

Smyth, G. K. (2004): Linear models and empirical Bayes methods for assessing differential expression in microarray
experiments. Stat. Appl. Genet. Mol. Biol. 3:3, sections 3 and 6.2; the moderated t statistic, as limma has it.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

FEWEST = 5
"""Comparisons below which nothing is borrowed."""
MOST_FREEDOM = 30.0
"""Borrowed degrees of freedom at the most, however alike the variances look."""


def prior(variances: np.ndarray, freedom: np.ndarray) -> tuple[float, float]:
    """Degrees of freedom d0 and variance s0² of the scaled inverse χ² that the true variances seem to come from.

    `variances` are sample variances with `freedom` degrees of freedom each. d0 is 0 where nothing can be borrowed.
    """
    use = (variances > 0) & (freedom > 0)
    if use.sum() < FEWEST:
        return 0.0, 1.0
    half = freedom[use] / 2
    # log s² of a χ² variable is digamma(d/2) − log(d/2) off, with variance trigamma(d/2): what is left is the prior's
    logs = np.log(variances[use]) - digamma(half) + np.log(half)
    seen = float(logs.var(ddof=1))
    # taken one standard error larger than it looks: borrowing too little costs width, too much costs false alarms
    spread = seen * (1 + np.sqrt(2 / (len(logs) - 1))) - float(polygamma(1, half).mean())
    if spread <= polygamma(1, MOST_FREEDOM / 2):
        found = MOST_FREEDOM
    else:
        found = float(2 * brentq(lambda x: float(polygamma(1, x)) - spread, 1e-3, MOST_FREEDOM))
    return found, float(np.exp(logs.mean() + digamma(found / 2) - np.log(found / 2)))


def moderated(variances: np.ndarray, freedom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each variance drawn towards the common one, and the degrees of freedom that it then has.

    Where a comparison has no variance of its own (freedom 0) it stays without one.
    """
    borrowed, common = prior(variances, freedom)
    total = freedom + borrowed
    with np.errstate(invalid="ignore", divide="ignore"):
        shrunk = np.where(freedom > 0, (borrowed * common + freedom * variances) / total, variances)
    return shrunk, np.where(freedom > 0, total, 0.0)
