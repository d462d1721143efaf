"""Faster, slower, tie or unknown: what may be said of a ratio when many are looked at together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.statistics.multiplicity import holm

ALPHA = 0.01
"""The chance that a run in which nothing differs says faster or slower anywhere."""


FLOOR = "floor"
"""Not an LSTM to choose: it gets no verdict, and is not counted as a comparison."""


def verdicts(ratios: pd.DataFrame, alpha: float = ALPHA) -> pd.Series:
    """Per row: faster or slower after Holm over all rows at alpha, else tie; unknown below 2 replicates."""
    p = ratios["ratio_p"].to_numpy(float).copy()
    p[ratios["ratio_n"].to_numpy(float) < 2] = np.nan
    p[ratios["implementation"] == FLOOR] = np.nan
    adjusted = holm(p)
    words = np.where(ratios["ratio"].to_numpy(float) < 1, "faster", "slower").astype(object)
    words[~(adjusted < alpha)] = "tie"
    words[np.isnan(adjusted)] = "unknown"
    words[ratios["implementation"] == FLOOR] = "floor"
    return pd.Series(words, index=ratios.index, dtype=object)
