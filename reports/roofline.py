"""How far from possible: the operations of the matrix products, and the share of the machine's peak that is reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.metadata import Metadata
from benchmarks.words import count
from impls.core.problem import Problem
from impls.core.weights import layers


def operations(problem: Problem, workload: str, mode: str) -> int:
    """Return the floating-point operations of the matrix products that every LSTM does for that benchmark.

    They are the products of impls/core/floor.py. A product of (m, k) and (k, n) counts 2·m·k·n. The workload `cell` is
    one step; `model` needs no gradient of x.

    Raises:
        ValueError: the mode is not known.
    """
    steps = 1 if workload == "cell" else problem.seq_len
    per_column = 2 * steps * problem.batch * 4 * problem.hidden_size
    widths = [(layer, width) for layer, _, width in layers(problem)]
    forward = sum(per_column * (width + problem.hidden_size) for _, width in widths)
    spared = sum(per_column * width for layer, width in widths if workload == "model" and layer == 0)
    backward = 2 * forward - spared
    known = {"forward": forward, "forward_train": forward, "backward": backward, "train_step": forward + backward}
    if mode not in known:
        raise ValueError(f"mode {mode!r} is not known; known are {', '.join(known)}")
    return known[mode]


FLOOR, PEAK = "floor", "peak"
FAULT = " !"
"""Stands behind the number of a row that is faster than its limit."""


def faults(rows: pd.DataFrame, metadata: Metadata) -> pd.Series:
    """Return for each row of a summary the limit that it breaks: FLOOR, PEAK, both, or nothing.

    The limit is at fault: it is a time or a rate that was reached, and here is something faster. Runs without rates are
    from when the floor was by two libraries, and was no limit.

    Args:
        rows: have floor_ratio_high, the end of a 95 % interval, and peak_share.
        metadata: that of the run.
    """
    known = bool(metadata.rates)
    below, above = (rows["floor_ratio_high"] < 1) & known, (rows["peak_share"] > 1) & known
    words = [[name for name, breaks in ((FLOOR, b), (PEAK, a)) if breaks] for b, a in zip(below, above, strict=True)]
    return pd.Series([", ".join(each) for each in words], index=rows.index, dtype=object)


def beyond(summary: pd.DataFrame) -> str | None:
    """Return a line on the rows that break their limit, with the first of them; None where there is none."""
    broken = summary[(summary["limit_fault"] != "") & (summary["status"] == "ok")]
    if broken.empty:
        return None
    row: Any = next(broken.itertuples())
    said = f"{row.floor_ratio:.2f} × floor" if FLOOR in row.limit_fault else f"{100 * row.peak_share:.0f} % of peak"
    where = "/".join(map(str, (row.problem, row.workload, row.mode)))
    rows = count(len(broken), "row")
    return f"a fault of the limit: {rows} beyond the floor or the peak, such as {row.implementation} at {where}: {said}"


def peak_share(summary: pd.DataFrame, records: pd.DataFrame, peak: Mapping[str, float]) -> pd.Series:
    """Return for each row of a summary its operations per second, as a share of the peak of its dtype.

    Args:
        summary: has problem, workload, mode and seconds.
        records: have the dtype of each problem.
        peak: for each dtype, the operations per second of a large matrix product.

    Returns:
        Shares of 1; NaN where the peak was not measured, or the problem or the mode is not known.
    """
    dtypes = records.drop_duplicates("problem").set_index("problem")["dtype"]
    shares = np.full(len(summary), np.nan)
    for k, (problem, workload, mode, seconds) in enumerate(
        zip(*(summary[name] for name in ("problem", "workload", "mode", "seconds")), strict=True)
    ):
        try:
            done = operations(Problem.parse(str(problem)), str(workload), str(mode))
        except ValueError:
            continue
        shares[k] = done / float(seconds) / peak.get(str(dtypes[problem]), np.nan)
    return pd.Series(shares, index=summary.index)
