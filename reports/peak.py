"""How far from possible: the share of the peak that each arm reaches, and what the peak was."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from impls.core.operations import operations, peak_operations, peak_side
from impls.core.problem import Problem
from impls.core.workloads import WORKLOADS
from reports.frames import Run
from reports.tracks import PEAK

BESIDE_ONE_THREAD = [name for name, workload in WORKLOADS.items() if workload.timed_by_call]
"""The workloads whose peak has a single thread."""


def shares(run: Run, rows: pd.DataFrame, ratios: pd.DataFrame) -> pd.DataFrame:
    """Return the share of the peak that some arms reach: peak_share and peak_share_low, the end of its 95 % interval.

    A share is of 1, and NaN where the peak was not measured, the problem or the mode is not known, or beside a stream,
    where the peak is another.

    Args:
        run: the run.
        rows: of its summary, with ARM, seconds and threads.
        ratios: of each row's time to the peak's, with its interval.
    """
    dtypes = dict(zip(run.records["problem"], run.records["dtype"], strict=True))
    shares = [_share(row, dtypes) for row in rows.itertuples()]
    return pd.DataFrame(
        {"peak_share": shares / ratios["ratio"], "peak_share_low": shares / ratios["ratio_high"]}
    )


def _share(row: Any, dtypes: Mapping[str, str]) -> float:
    """Return the share of the peak's operations that a call of a row needs; NaN where it is not known."""
    if row.workload in BESIDE_ONE_THREAD or not row.threads > 0:
        return math.nan
    try:
        needed = operations(Problem.parse(row.problem), row.workload, row.mode)
    except (ValueError, KeyError):
        return math.nan
    return needed / peak_operations(row.device, dtypes[row.problem], int(row.threads))


def _timed(records: pd.DataFrame) -> pd.DataFrame:
    """Return the records of the peak on all threads."""
    peaks = records[(records["track"] == PEAK).to_numpy()]
    timed = peaks[(peaks["status"] == "ok") & (peaks["threads"] > 0)]
    return timed[~timed["workload"].isin(BESIDE_ONE_THREAD)]


def _in_float32(records: pd.DataFrame) -> pd.DataFrame:
    """Return the records of the peak in float32 on a CPU."""
    return _timed(records).query("device == 'cpu' and dtype == 'float32'")


def speed_error(records: pd.DataFrame) -> float:
    """Return the standard error of the log of speed; NaN of a single replicate."""
    replicates = np.log(_in_float32(records)["seconds"]).groupby(records["replicate"]).median()
    return float(replicates.sem())


def speed(records: pd.DataFrame) -> float:
    """Return the operations per second of the peak in float32 on a CPU; NaN where it was not measured."""
    rows = _in_float32(records)
    if rows.empty:
        return math.nan
    done = peak_operations("cpu", "float32", int(rows["threads"].iloc[0]))
    return float(done / rows["seconds"].median())


def reached(run: Run) -> Iterator[str]:
    """Yield what the peak was in each dtype, or why it is not known; nothing where it was not measured."""
    records = run.records[(run.records["track"] == PEAK).to_numpy()]
    for key, rows in _timed(run.records).groupby(["device", "dtype"], sort=False):
        device, dtype = map(str, key)
        work = "multiply-adds in registers"
        if device == "cuda":
            side = peak_side(dtype)
            work = f"a product of ({side}, {side}) matrices"
        done = peak_operations(device, dtype, int(rows["threads"].iloc[0]))
        per_second = done / rows["seconds"].median()
        yield f"peak {per_second / 1e9:.0f} GFLOP/s in {dtype} ({work})"
    for reason in sorted(records.loc[records["status"] != "ok", "reason"].unique()):
        yield f"% of peak is not known: {reason}"
