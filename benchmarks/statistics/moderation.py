"""Moderated variances: the variance of each comparison, from few replicates, moves towards that of all comparisons.

Smyth, G. K. (2004): Linear models and empirical Bayes methods for assessing differential expression in microarray
experiments. Stat. Appl. Genet. Mol. Biol. 3:3, sections 3 and 6.2; the moderated t statistic of limma.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, zeta

FEWEST = 5
"""With fewer comparisons, variances stay as they are."""
MOST_FREEDOM = 30.0
"""The most degrees of freedom that are borrowed by default, however similar the variances are."""


def trigamma(x: np.ndarray | float) -> np.ndarray:
    """Return the second derivative of log Γ, faster than polygamma(1, x)."""
    return np.asarray(zeta(2.0, x))


def prior(variances: np.ndarray, freedom: np.ndarray, most: float = MOST_FREEDOM) -> tuple[float, float]:
    """Return the prior of the true variances, a scaled inverse χ²: its degrees of freedom d0 and its variance s0².

    At most `most` degrees of freedom are borrowed from sample variances, both of shape (n,). Where nothing can be
    borrowed, d0 is 0.
    """
    use = (variances > 0) & (freedom > 0)
    if use.sum() < FEWEST:
        return 0.0, 1.0
    half = freedom[use] / 2
    # log s² has bias digamma(d/2) − log(d/2) and variance trigamma(d/2); the rest of its variance is the prior's
    logs = np.log(variances[use]) - digamma(half) + np.log(half)
    seen = float(logs.var(ddof=1))
    # one standard error is added: borrowing too little widens intervals, borrowing too much gives false alarms
    spread = seen * (1 + np.sqrt(2 / (len(logs) - 1))) - float(trigamma(half).mean())
    if spread <= trigamma(most / 2):
        borrowed = most
    else:
        borrowed = float(2 * brentq(lambda x: float(trigamma(x)) - spread, 1e-3, most))
    return borrowed, float(np.exp(logs.mean() + digamma(borrowed / 2) - np.log(borrowed / 2)))


def moderated(variances: np.ndarray, freedom: np.ndarray, most: float = MOST_FREEDOM) -> tuple[np.ndarray, np.ndarray]:
    """Return each variance moved towards the common variance, and its new degrees of freedom: at most `most` more.

    A comparison without a variance (freedom 0) stays without.
    """
    borrowed, common = prior(variances, freedom, most)
    total = freedom + borrowed
    with np.errstate(invalid="ignore", divide="ignore"):
        shrunk = np.where(freedom > 0, (borrowed * common + freedom * variances) / total, variances)
    return shrunk, np.where(freedom > 0, total, 0.0)
