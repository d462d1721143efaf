"""How far from possible: the share of the peak that each arm reaches, and what the peak was."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from impls.core.operations import operations, peak_operations, peak_side
from impls.core.problem import Problem
from impls.core.workloads import WORKLOADS
from reports.estimates import Blocks
from reports.frames import ARM, Run
from reports.tracks import PEAK

BESIDE_ONE_THREAD = [name for name, workload in WORKLOADS.items() if workload.timed_by_call]
"""The workloads whose peak has a single thread."""


def shares(run: Run, rows: pd.DataFrame, blocks: Blocks) -> pd.DataFrame:
    """Return the share of the peak that some arms reach: peak_share and peak_share_low, the end of its 95 % interval.

    The rows are of the summary, with ARM, seconds and threads. A share is of 1, and NaN where the peak was not
    measured, the problem or the mode is not known, or beside a stream, where the peak is another.
    """
    dtypes = run.records.drop_duplicates("problem").set_index("problem")["dtype"].astype(str)
    ratios = rows[ARM].merge(
        blocks.against(PEAK)[[*ARM, "ratio", "ratio_high"]], on=ARM, how="left"
    )
    row: Any
    to_peak: Any
    found = []
    for row, to_peak in zip(rows.itertuples(), ratios.itertuples(), strict=True):
        try:
            needed = float(
                operations(Problem.parse(str(row.problem)), str(row.workload), str(row.mode))
            )
        except (ValueError, KeyError):
            needed = math.nan
        if row.workload in BESIDE_ONE_THREAD or not row.threads > 0:
            needed = math.nan
        else:
            needed /= peak_operations(row.device, dtypes[row.problem], int(row.threads))
        found.append((needed / to_peak.ratio, needed / to_peak.ratio_high))
    return pd.DataFrame(
        found, columns=["peak_share", "peak_share_low"], index=rows.index, dtype=float
    )


def reached(run: Run) -> Iterator[str]:
    """Yield what the peak was in each dtype, or why it is not known; nothing where it was not measured."""
    records = run.records[(run.records["track"] == PEAK).to_numpy()]
    known = records[
        (records["status"] == "ok")
        & (records["threads"] > 0)
        & ~records["workload"].isin(BESIDE_ONE_THREAD)
    ]
    for key, timed in known.groupby(["device", "dtype"], sort=False):
        device, dtype = map(str, key)
        done, side = peak_operations(device, dtype, int(timed["threads"].iloc[0])), peak_side(dtype)
        what = (
            f"a product of ({side}, {side}) matrices"
            if device == "cuda"
            else "multiply-adds in registers"
        )
        yield f"{what} reached {done / timed['seconds'].median() / 1e9:.0f} GFLOP/s in {dtype}"
    for reason in sorted(set(records.loc[records["status"] != "ok", "reason"].astype(str))):
        yield f"% of peak is not known: {reason}"
