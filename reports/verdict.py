"""Faster, slower or unclear: what may be said of a ratio when many are looked at together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.statistics.multiplicity import holm

ALPHA = 0.01
"""The chance that a run in which nothing differs says faster or slower anywhere."""
FASTER, SLOWER, UNCLEAR = "faster", "slower", "unclear"
BASELINE = "baseline"


def verdicts(ratios: pd.DataFrame, alpha: float = ALPHA) -> pd.Series:
    """Return the verdict of each row: faster or slower where Holm's correction over all rows leaves p below alpha.

    Everything else is unclear, also a ratio from one replicate.
    """
    p = ratios["ratio_p"].to_numpy(float).copy()
    p[ratios["ratio_n"].to_numpy(float) < 2] = np.nan
    words = np.where(ratios["ratio"].to_numpy(float) < 1, FASTER, SLOWER).astype(object)
    words[~(holm(p) < alpha)] = UNCLEAR
    return pd.Series(words, index=ratios.index, dtype=object)
