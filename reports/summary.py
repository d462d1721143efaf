"""The frame behind every table: one row per benchmark and implementation, with estimates, ratio and verdict."""

from __future__ import annotations

import pandas as pd

from reports import estimate, frame, verdict
from reports.frame import ARM, BENCHMARK, Run

CONSTANT = ["track", "versions", "error", "error_tensor", "first_call_seconds", "threads"]


def summarise(run: Run) -> pd.DataFrame:
    """One row per ARM, fastest first inside a benchmark; what is not ok comes last, with status and reason.

    Columns: ARM, CONSTANT, status, reason, seconds and ratio each with _low, _high, _n, verdict, cores_used,
    peak_bytes, warm_first_call_seconds.
    """
    records, baseline = run.records, run.options["baseline"]
    failed = records[records["status"] != "ok"].drop_duplicates(ARM)[[*ARM, "status", "reason"]]
    # an arm that failed in any replicate has no time: what it did before may be as wrong
    sound = records[~pd.MultiIndex.from_frame(records[ARM]).isin(pd.MultiIndex.from_frame(failed[ARM]))]
    base = records.drop_duplicates(ARM)[[*ARM, *CONSTANT]]
    # of the peaks the least: what earlier benchmarks of a process left behind differs with their order
    how = {"cores_used": "median", "peak_bytes": "min", "warm_first_call_seconds": "median"}
    medians = sound.groupby(ARM, as_index=False, sort=False).agg(how)
    ratios = estimate.ratios(frame.turns(run, sound), baseline)
    ratios["verdict"] = verdict.verdicts(ratios)
    found = base.merge(estimate.times(sound), on=ARM, how="left").merge(medians, on=ARM, how="left")
    found = found.merge(ratios, on=ARM, how="left").merge(failed, on=ARM, how="left")
    found["status"] = found["status"].fillna("ok")
    found["reason"] = found["reason"].fillna("")
    is_base = (found["implementation"] == baseline) & (found["status"] == "ok")
    found.loc[is_base, ["ratio", "ratio_low", "ratio_high"]] = 1.0
    found.loc[is_base, "verdict"] = "baseline"
    # in the order in which the run was asked for its benchmarks
    order = {
        key: k for k, key in enumerate(records.drop_duplicates(BENCHMARK)[BENCHMARK].itertuples(index=False, name=None))
    }
    place = [order[key] for key in found[BENCHMARK].itertuples(index=False, name=None)]
    return (
        found.assign(_place=place)
        .sort_values(["_place", "seconds"], kind="stable", ignore_index=True)
        .drop(columns="_place")
    )
