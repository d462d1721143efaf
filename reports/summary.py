"""The frame behind every table: one row per benchmark and implementation, with estimates, ratio and verdict."""

from __future__ import annotations

import pandas as pd

from reports import estimates, frames, ranking, roofline, verdict
from reports.frames import ARM, BENCHMARK, KEY, Run

CONSTANT = ["track", "versions", "error", "error_tensor", "first_call_seconds", "threads"]


def summarise(run: Run) -> pd.DataFrame:
    """One row per ARM, fastest first inside a benchmark; what is not ok comes last, with status and reason.

    Columns: ARM, CONSTANT, status, reason; seconds, ratio (to the baseline) and floor_ratio, each with _low, _high and
    _n; verdict, place (in its track), peak_share, cores_used, peak_bytes, warm_first_call_seconds.
    """
    records, baseline = run.records, run.options["baseline"]
    failed = records[records["status"] != "ok"].drop_duplicates(ARM)[[*ARM, "status", "reason"]]
    # an arm that failed in any replicate has no time: what it did before may be as wrong
    unsound = (records["status"] != "ok").groupby([records[name] for name in ARM], observed=True).transform("any")
    base = records.drop_duplicates(ARM)[[*ARM, *CONSTANT]]
    # of the peaks the least: what earlier benchmarks of a process left behind differs with their order
    how = {"cores_used": "median", "peak_bytes": "min", "warm_first_call_seconds": "median"}
    sound = records.loc[~unsound, [*KEY, "seconds", *how]]
    medians = sound.groupby(ARM, as_index=False, sort=False, observed=True).agg(how)
    blocks = estimates.block_logs(frames.turns(run, sound))
    ratios = estimates.ratios_of(blocks, baseline)
    ratios["verdict"] = verdict.verdicts(ratios)
    floors = estimates.ratios_of(blocks, verdict.FLOOR)
    floors.columns = [name.replace("ratio", "floor_ratio") for name in floors.columns]
    found = base.merge(estimates.times(sound), on=ARM, how="left").merge(medians, on=ARM, how="left")
    found = found.merge(ratios, on=ARM, how="left").merge(floors, on=ARM, how="left").merge(failed, on=ARM, how="left")
    found = frames.plain(found)
    found["status"] = found["status"].fillna("ok")
    found["reason"] = found["reason"].fillna("")
    is_base = (found["implementation"] == baseline) & (found["status"] == "ok")
    found.loc[is_base, ["ratio", "ratio_low", "ratio_high"]] = 1.0
    found.loc[is_base, "verdict"] = "baseline"
    found["place"] = ranking.places(found, blocks)
    found["peak_share"] = roofline.peak_share(found, records, run.environment.get("matmul_flops_per_second") or {})
    # in the order in which the run was asked for its benchmarks
    order = {
        key: k for k, key in enumerate(records.drop_duplicates(BENCHMARK)[BENCHMARK].itertuples(index=False, name=None))
    }
    position = [order[key] for key in found[BENCHMARK].itertuples(index=False, name=None)]
    return (
        found.assign(_position=position)
        .sort_values(["_position", "seconds"], kind="stable", ignore_index=True)
        .drop(columns="_position")
    )
