"""Faster, slower or unclear, and the fastest of a track: what many ratios show together."""

from typing import Any

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
    """Return the verdict of each row: faster or slower where that is sure of the mean, and of one more run too.

    The mean is sure where Holm's correction over all rows leaves p below alpha, one more run where the interval
    excludes 1. Everything else is unclear, also a ratio from one replicate.
    """
    p = ratios["ratio_p"].where(ratios["ratio_n"] > 1)
    words = (ratios["ratio"] < 1).map({True: FASTER, False: SLOWER})
    one_more = (ratios["ratio_low"] > 1) | (ratios["ratio_high"] < 1)
    return words.where(one_more & (holm(p.to_numpy()) < alpha), UNCLEAR)


def fastest(summary: pd.DataFrame, blocks: Blocks) -> pd.Series:
    """Return for each row of a summary whether it is the fastest in its track.

    `yes`: it takes the least time, and every other arm of the track is slower. `unclear`: it takes the least time or
    can't be told from the arm of least time; then no arm is `yes`. Empty: it is not the fastest, or it can't be
    ranked: the track has one arm, there is one replicate, or an arm has no block with the arm of least time.

    Every arm is compared with the arm of least time block by block, with Holm's correction over all such pairs of the
    run. A pair that holds the baseline has the verdict of the table.
    """
    words = pd.Series("", index=summary.index, dtype=object)
    running = summary[summary["status"] == "ok"]
    contests: dict[Any, pd.DataFrame] = {}
    for _, rows in running.groupby([*BENCHMARK, "track"], sort=False):
        if len(rows) > 1:
            numbers = rows["ratio"]
            if numbers.isna().any():
                numbers = rows["seconds"]
            best: Any = numbers.idxmin()
            contests[best] = rows.drop(best).assign(rival=rows.loc[best, "implementation"])
    if not contests:
        return words
    rivals = pd.concat(contests.values())
    compared = blocks.ratios(rivals, rivals["rival"])
    slower = (compared["ratio_low"] > 1) & (holm(compared["ratio_p"].to_numpy()) < ALPHA)
    for best, others in contests.items():
        if not (compared.loc[others.index, "ratio_n"] > 1).all():
            continue
        beaten = slower[others.index]
        if summary.loc[best, "verdict"] == BASELINE:
            beaten = others["verdict"] == SLOWER
        beaten[others["verdict"] == BASELINE] = summary.loc[best, "verdict"] == FASTER
        words[best] = YES if beaten.all() else UNCLEAR
        words[beaten.index[~beaten]] = UNCLEAR
    return words
