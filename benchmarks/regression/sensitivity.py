"""How large a slowdown a gate finds, and how often it calls what did not change slower: from simulated gates.

Their log ratios are normal, and as spread out as those of a benchmark of the real gate. That spread is known from few
replicates only, so each simulated gate has a true spread of its own. A larger slowdown passes every condition of the
rule that a smaller one passes. So each simulated gate has a least slowdown that it finds.
"""

import dataclasses
import math

import numpy as np
from scipy import special

from benchmarks.regression.decision import (
    CERTAIN,
    FEWEST,
    LASTING,
    MOST,
    POWER,
    TESTED,
    Evidence,
)

GATES = 2000
"""How many gates are simulated for a benchmark."""
FOUND = 0.9
"""The share of gates that find what is said to be found."""
LARGEST = math.log(10)
"""If they find nothing smaller, there are too few replicates to say anything."""
LASTS = 0.08
"""What may last for a whole gate on a machine that nobody has calibrated, as a share of the variance of a replicate."""


def smallest_and_alarms(alone: Evidence, most: int = MOST) -> tuple[float | None, float | None]:
    """Return the smallest slowdown that FOUND of all gates find, as ratio − 1, and the share of false alarms.

    Of a replicate's variance, LASTING lasts for a gate that finds it, and LASTS for one with a false alarm. What is not
    known is None. So are both for a rule with a floor, since log ratios do not say how large a difference is.

    Args:
        alone: of a single benchmark. Its mean does not count.
        most: after so many replicates, it is settled in any case.
    """
    if alone.freedom <= 0 or alone.rule.floor:
        return None, None
    rng = np.random.default_rng(0)
    spread = alone.sd * np.sqrt(alone.freedom / rng.chisquare(alone.freedom, (GATES, 1)))
    least = least_found(_looks(alone, spread, most, rng))
    alarms = special.ndtr(-least / (math.sqrt(LASTS) * spread[:, 0]))
    lasting = math.sqrt(LASTING) * spread[:, 0] * rng.standard_normal(GATES)
    size = np.quantile(least + lasting, FOUND)
    return math.expm1(size) if size < LARGEST else None, float(alarms.mean())


def _looks(alone: Evidence, spread: np.ndarray, most: int, rng: np.random.Generator) -> Evidence:
    """Return what simulated gates see after each replicate if nothing changed, shape (GATES, most).

    Degrees of freedom that are borrowed from other benchmarks are squares that all looks of a gate have in common.

    Args:
        spread: the true standard deviation of a replicate in each gate, shape (GATES, 1).
    """
    logs = spread * rng.standard_normal((GATES, most))
    n = np.arange(1, most + 1)
    mean = logs.cumsum(axis=1) / n
    borrowed = alone.freedom - alone.n + 1
    others = 2 * rng.standard_gamma(borrowed / 2, (GATES, 1))  # χ², also with 0 degrees of freedom
    squares = (logs**2).cumsum(axis=1) - n * mean**2 + spread**2 * others
    freedom = np.maximum(n - 1 + borrowed, 1e-3)  # of the first look, which decides nothing
    sd = np.sqrt(np.maximum(squares, 0.0) / freedom)
    floor_reached = np.full(n.shape, np.inf)
    return Evidence(mean, sd, freedom, n, floor_reached, alone.rule, alone.level)


def least_found(seen: Evidence) -> np.ndarray:
    """Return the least slowdown that each gate finds, as a log, from what it sees without one: see Evidence.look.

    Args:
        seen: after each replicate of each gate, shape (gates, most).
    """
    most = len(seen.n)
    kept = seen.futile_below(seen.n) - seen.mean
    kept[:, : FEWEST - 1] = -np.inf
    kept = np.maximum.accumulate(kept, axis=1)
    ends = seen.sd < _steady_enough(seen)
    ends[:, most - 1] = True
    last = ends.argmax(axis=1, keepdims=True)
    called = seen.slower_from(CERTAIN) - seen.mean
    called[:, : FEWEST - 1] = np.inf
    called[seen.n - 1 >= last] = np.inf
    tested = seen.slower_from() - seen.mean
    np.put_along_axis(called, last, np.take_along_axis(tested, last, axis=1), axis=1)
    return np.asarray(np.maximum(kept, called).min(axis=1))


def _steady_enough(seen: Evidence) -> np.ndarray:
    """Return the largest spread with which sampling ends after each number of replicates, shape (most,)."""
    margin = seen.rule.margin
    steady = np.zeros(seen.n.shape)
    noisy = np.full(seen.n.shape, 4 * margin)
    for _ in range(14):
        middle = (steady + noisy) / 2
        enough = dataclasses.replace(seen, sd=middle).power(margin, seen.n) >= POWER
        steady = np.where(enough, middle, steady)
        noisy = np.where(enough, noisy, middle)
    steady[: TESTED - 1] = 0.0
    return steady
