"""The summary behind every table: a row for each benchmark and implementation, with estimates, ratio and verdict."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from benchmarks.record import MEASURED, SCHEMA
from reports import estimates, peak, verdict
from reports.frames import ARM, BENCHMARK, KEY, Run
from reports.tracks import LIMITS

CONSTANT = ["track", "digest", "versions", "kernel", "warning", "threads"]
"""Columns that are the same in all replicates of an arm."""
OF_WORST = ["error", "error_tensor"]
"""Those that are from the round with the largest error. The first call is the median over rounds."""
NUMBERS = (pa.float64(), pa.int64())
OF_REPLICATES = [
    name for name in MEASURED if name != "seconds" and SCHEMA.field(name).type in NUMBERS
]
"""The numbers that each replicate measures beside the time. The median counts, but of peaks the least: what earlier
benchmarks of a process left behind differs with their order."""


def summarise(run: Run) -> pd.DataFrame:
    """Return a row for each ARM, the fastest first in its benchmark; a failed arm comes last, with its reason.

    An arm that failed in any replicate has no time: see frames.withdrawn.

    Columns: ARM, CONSTANT, OF_WORST, first_call_seconds, status, reason; seconds and ratio (to the baseline), each with
    _low, _high and _n; verdict, fastest (in its track), peak_share, peak_share_low, and OF_REPLICATES.
    """
    records = run.records
    failed = records[records["status"] != "ok"].drop_duplicates(ARM)[[*ARM, "status", "reason"]]
    how = dict.fromkeys(OF_REPLICATES, "median") | {"peak_bytes": "min"}
    sound = estimates.sound(records)[[*KEY, "seconds", *how]]
    blocks = estimates.blocks_of(run)
    ratios = blocks.against(run.baseline)
    rows = records.drop_duplicates(ARM)[[*ARM, *CONSTANT]]
    worst = records.sort_values("error", ascending=False, kind="stable").drop_duplicates(ARM)[
        [*ARM, *OF_WORST]
    ]
    firsts = records.groupby(ARM, as_index=False, sort=False)["first_call_seconds"].median()
    rows = rows.assign(
        position=rows.groupby(BENCHMARK, sort=False).ngroup()
    )  # the order in which they were asked for
    medians = sound.groupby(ARM, as_index=False, sort=False).agg(how)
    times = estimates.times(sound, estimates.lasting(run))
    for columns in (worst, firsts, times, medians, ratios, failed):
        rows = rows.merge(columns, on=ARM, how="left")
    rows = rows[~rows["track"].isin(LIMITS)].reset_index(drop=True)
    rows["status"] = rows["status"].fillna("ok")
    rows["reason"] = rows["reason"].fillna("")
    compared = rows["ratio"].notna()
    rows.loc[compared, "verdict"] = verdict.verdicts(rows[compared])
    is_baseline = (rows["implementation"] == run.baseline) & (rows["status"] == "ok")
    rows.loc[is_baseline, ["ratio", "ratio_low", "ratio_high"]] = 1.0
    rows.loc[is_baseline, "verdict"] = verdict.BASELINE
    rows["fastest"] = verdict.fastest(rows, blocks)
    rows = rows.join(peak.shares(run, rows, blocks))
    return rows.sort_values(["position", "seconds"], kind="stable", ignore_index=True).drop(
        columns="position"
    )
