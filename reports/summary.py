"""The summary behind every table: a row for each benchmark and implementation, with estimates, ratio and verdict."""

import numpy as np
import pandas as pd

from reports import estimates, peak, state, verdict
from reports.frames import ARM, BENCHMARK, Run
from reports.tracks import LIMITS, PEAK

CONSTANT = ["track", "digest", "versions", "kernel", "warning", "threads"]
"""Columns that are the same in all replicates of an arm."""
OF_WORST = ["error", "error_tensor"]
"""Those that are from the round with the largest error. The first call is the median over rounds."""
OF_REPLICATES = {
    "warm_first_call_seconds": "median",
    "cores_used": "median",
    "peak_bytes": "min",
    "pipelined_seconds": "median",
    "gpu_seconds": "median",
    "gpu_kernels": "median",
}
"""The numbers that each replicate measures beside the time, and which of them counts.

Of peaks it is the least: what earlier benchmarks of a process left behind differs with their order.
"""


def summarise(run: Run) -> pd.DataFrame:
    """Return a row for each ARM, the fastest first in its benchmark; a failed arm comes last, with its reason.

    An arm that failed in any replicate has no time: see frames.withdrawn.

    Columns: ARM, CONSTANT, OF_WORST, first_call_seconds, status, reason; seconds and ratio (to the baseline), each with
    _low, _high and _n; ratio_near and ratio_far of those that depend on it (see state.ratios); verdict, fastest (in its
    track), peak_share, peak_share_low, and OF_REPLICATES.
    """
    records = run.records
    failed = records[records["status"] != "ok"].drop_duplicates(ARM)[[*ARM, "status", "reason"]]
    medians = estimates.sound(records).groupby(ARM).agg(OF_REPLICATES)
    blocks = estimates.blocks_of(run)
    rows = records.drop_duplicates(ARM)[[*ARM, *CONSTANT]]
    worst = records.sort_values("error", ascending=False, kind="stable").drop_duplicates(ARM)
    worst = worst[[*ARM, *OF_WORST]]
    first_calls = records.groupby(ARM)["first_call_seconds"].median()
    times = estimates.times(run)
    ratios = blocks.with_ratios(blocks.others(run.baseline), run.baseline)
    for columns in (worst, first_calls, times, medians, ratios, state.ratios(run), failed):
        rows = rows.merge(columns, on=ARM, how="left")
    rows = rows[~rows["track"].isin(LIMITS)].reset_index(drop=True)
    rows["status"] = rows["status"].fillna("ok")
    rows["reason"] = rows["reason"].fillna("")
    rows["verdict"] = verdict.verdicts(rows[rows["ratio"].notna()])
    is_baseline = (rows["implementation"] == run.baseline) & (rows["status"] == "ok")
    rows.loc[is_baseline, ["ratio", "ratio_low", "ratio_high"]] = 1.0
    rows.loc[is_baseline, "verdict"] = verdict.BASELINE
    rows["fastest"] = verdict.fastest(rows, blocks)
    rows = rows.join(peak.shares(run, rows, blocks.ratios(rows, PEAK)))
    # benchmarks are in the order in which they were asked for
    position = rows.groupby(BENCHMARK, sort=False).ngroup()
    return rows.iloc[np.lexsort((rows["seconds"], position))].reset_index(drop=True)
