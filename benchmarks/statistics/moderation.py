"""Moderated variances: the variance of each comparison, from few replicates, moves towards that of all comparisons.

Smyth, G. K. (2004): Linear models and empirical Bayes methods for assessing differential expression in microarray
experiments. Stat. Appl. Genet. Mol. Biol. 3:3, sections 3 and 6.2; the moderated t statistic of limma.
"""

import numpy as np
from scipy.special import digamma, zeta

FEWEST = 5
"""With fewer comparisons, variances stay as they are."""
MOST_FREEDOM = 30.0
"""The most degrees of freedom that are borrowed by default, however similar the variances are."""


def trigamma(x: np.ndarray | float) -> np.ndarray:
    """Return the second derivative of log Γ, faster than polygamma(1, x)."""
    return np.asarray(zeta(2.0, x))


def inverse_trigamma(y: np.ndarray) -> np.ndarray:
    """Return x where trigamma(x) is y > 0, by Newton's method on 1 / trigamma, as limma does."""
    x = 0.5 + 1 / y  # is below the root, and the steps go up
    for _ in range(50):
        now = trigamma(x)
        step = now * (now / y - 1) / (2 * zeta(3.0, x))
        x = x + step
        if not np.any(np.abs(step) > 1e-13 * x):
            break
    return x


def prior(
    variances: np.ndarray, freedom: np.ndarray, most: float = MOST_FREEDOM
) -> tuple[np.ndarray, np.ndarray]:
    """Return the prior of the true variances, a scaled inverse χ²: its degrees of freedom d0 and its variance s0².

    At most `most` degrees of freedom are borrowed from sample variances, both of shape (..., n). The results have shape
    (...). Where nothing can be borrowed, d0 is 0.
    """
    use = (variances > 0) & (freedom > 0)
    number = use.sum(axis=-1)
    some, rest = np.maximum(number, 1), np.maximum(number - 1, 1)
    half = np.where(use, freedom, 1.0) / 2
    # log s² has bias digamma(d/2) − log(d/2) and variance trigamma(d/2); the rest of its variance is the prior's
    logs = np.where(use, np.log(np.where(use, variances, 1.0)) - digamma(half) + np.log(half), 0.0)
    mean = logs.sum(axis=-1) / some
    seen = (np.where(use, logs - mean[..., None], 0.0) ** 2).sum(axis=-1) / rest
    # one standard error is added: borrowing too little widens intervals, borrowing too much gives false alarms
    spread = seen * (1 + np.sqrt(2 / rest)) - np.where(use, trigamma(half), 0.0).sum(axis=-1) / some
    wide = np.maximum(spread, trigamma(most / 2))  # as wide as this where the most is borrowed
    borrowed = np.where(
        number < FEWEST, 0.0, np.where(spread < wide, most, 2 * inverse_trigamma(wide))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        common = np.exp(mean + digamma(borrowed / 2) - np.log(borrowed / 2))
    return borrowed, np.where(number < FEWEST, 1.0, common)


def moderated(
    variances: np.ndarray, freedom: np.ndarray, most: float = MOST_FREEDOM
) -> tuple[np.ndarray, np.ndarray]:
    """Return each variance moved towards the common variance, and its new degrees of freedom: at most `most` more.

    Both have shape (..., n); the n variances of a family move together. A comparison without a variance (freedom 0)
    stays without.
    """
    borrowed, common = (of_family[..., None] for of_family in prior(variances, freedom, most))
    total = freedom + borrowed
    with np.errstate(invalid="ignore"):
        shrunk = np.where(freedom > 0, (borrowed * common + freedom * variances) / total, variances)
    return shrunk, np.where(freedom > 0, total, 0.0)
