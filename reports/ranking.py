"""Which implementation is the fastest in its track."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.statistics.multiplicity import holm
from reports.estimates import Blocks
from reports.frames import BENCHMARK
from reports.verdict import ALPHA, BASELINE, FASTER, SLOWER, UNCLEAR

YES = "yes"
CONTEST = [*BENCHMARK, "track"]
"""The columns that name a contest. Only arms of the same contest are ranked."""


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
    contests = [rows for _, rows in running.groupby(CONTEST, sort=False, observed=True) if len(rows) > 1]
    if not contests:
        return words
    least: list[Any] = [rows["ratio" if rows["ratio"].notna().all() else "seconds"].idxmin() for rows in contests]
    others = pd.concat([rows.drop(index) for rows, index in zip(contests, least, strict=True)])
    rivals = np.repeat(least, [len(rows) - 1 for rows in contests])
    compared = blocks.ratios(others, summary.loc[rivals])
    slower = (holm(compared["ratio_p"].to_numpy(float)) < ALPHA) & (compared["ratio"].to_numpy(float) > 1)
    for index, rows in zip(least, contests, strict=True):
        mine = np.isin(compared.index, rows.index)
        if not (compared.loc[mine, "ratio_n"] > 1).all():
            continue
        unclear = compared.index[mine & ~slower]
        baseline = rows.index[rows["verdict"] == BASELINE]
        if index in baseline:
            unclear = rows.index[(rows["verdict"] != SLOWER) & (rows.index != index)]
        elif len(baseline):
            unclear = unclear.drop(baseline, errors="ignore")
            unclear = unclear if rows.loc[index, "verdict"] == FASTER else unclear.append(baseline)
        words[index] = UNCLEAR if len(unclear) else YES
        words[unclear] = UNCLEAR
    return words
