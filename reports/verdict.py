"""Faster, slower or unclear, and the fastest of a track: what many ratios together may be said to show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.statistics.intervals import holm
from reports.estimates import Blocks
from reports.frames import BENCHMARK

ALPHA = 0.01
"""The chance that a run in which nothing differs says faster or slower anywhere."""
FASTER, SLOWER, UNCLEAR = "faster", "slower", "unclear"
BASELINE = "baseline"
YES = "yes"


def verdicts(ratios: pd.DataFrame, alpha: float = ALPHA) -> pd.Series:
    """Return the verdict of each row: faster or slower where Holm's correction over all rows leaves p below alpha.

    Everything else is unclear, also a ratio from one replicate.
    """
    p = ratios["ratio_p"].to_numpy(float).copy()
    p[ratios["ratio_n"].to_numpy(float) < 2] = np.nan
    words = np.where(ratios["ratio"].to_numpy(float) < 1, FASTER, SLOWER).astype(object)
    words[~(holm(p) < alpha)] = UNCLEAR
    return pd.Series(words, index=ratios.index, dtype=object)


def fastest(summary: pd.DataFrame, blocks: Blocks) -> pd.Series:
    """Return for each row of a summary whether it is the fastest in its track.

    `yes`: it takes the least time, and every other arm of the track is slower. `unclear`: it takes the least time or
    can't be told from the arm of least time; then no arm is `yes`. Empty: it is not the fastest, or nothing can be
    said: the track has one arm, there is one replicate, or an arm has no block with the arm of least time.

    Every arm is compared with the arm of least time block by block, with Holm's correction over all such pairs of the
    run. A pair that holds the baseline has the verdict of the table.
    """
    words = pd.Series("", index=summary.index, dtype=object)
    running = summary[summary["status"] == "ok"]
    contests = [
        rows for _, rows in running.groupby([*BENCHMARK, "track"], sort=False) if len(rows) > 1
    ]
    if not contests:
        return words
    least: list[Any] = [
        rows["ratio" if rows["ratio"].notna().all() else "seconds"].idxmin() for rows in contests
    ]
    others = pd.concat([rows.drop(index) for rows, index in zip(contests, least, strict=True)])
    rivals = np.repeat(least, [len(rows) - 1 for rows in contests])
    compared = blocks.ratios(others, summary.loc[rivals])
    slower = (compared["ratio"] > 1) & (holm(compared["ratio_p"].to_numpy(float)) < ALPHA)
    for index, rows in zip(least, contests, strict=True):
        rest = rows.drop(index)
        if not (compared.loc[rest.index, "ratio_n"] > 1).all():
            continue
        beaten, baseline = slower[rest.index], rest.index[rest["verdict"] == BASELINE]
        if rows.loc[index, "verdict"] == BASELINE:
            beaten = rest["verdict"] == SLOWER
        beaten[baseline] = rows.loc[index, "verdict"] == FASTER
        words[index] = YES if beaten.all() else UNCLEAR
        words[beaten.index[~beaten]] = UNCLEAR
    return words
