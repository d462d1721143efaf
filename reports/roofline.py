"""How far from possible: the matrix products' operations, and the share of the machine's peak that a time reaches."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from impls.core.problem import Problem
from impls.core.weights import layers


def operations(problem: Problem, workload: str, mode: str) -> int:
    """Floating-point operations of the matrix products that any LSTM of that benchmark does: what impls/floor.py does.

    A product of (m, k) and (k, n) counts 2·m·k·n. `cell` is one step; `model` needs no gradient of x.
    """
    steps = 1 if workload == "cell" else problem.seq_len
    per_column = 2 * steps * problem.batch * 4 * problem.hidden_size
    widths = [(layer, width) for layer, _, width in layers(problem)]
    forward = sum(per_column * (width + problem.hidden_size) for _, width in widths)
    spared = sum(per_column * width for layer, width in widths if workload == "model" and layer == 0)
    backward = 2 * forward - spared
    return {"forward": forward, "forward_train": forward, "backward": backward}.get(mode, forward + backward)


def peak_share(summary: pd.DataFrame, records: pd.DataFrame, peak: Mapping[str, float]) -> pd.Series:
    """Per row of a summary: operations per second over `peak`, that of a large matrix product of the row's dtype.

    NaN where the peak was not measured or the problem's name is none of ours.
    """
    dtypes = records.drop_duplicates("problem").set_index("problem")["dtype"]
    found = np.full(len(summary), np.nan)
    for k, (problem, workload, mode, seconds) in enumerate(
        zip(*(summary[name] for name in ("problem", "workload", "mode", "seconds")), strict=True)
    ):
        try:
            count = operations(Problem.parse(str(problem)), str(workload), str(mode))
        except ValueError:
            continue
        found[k] = count / float(seconds) / peak.get(str(dtypes[problem]), np.nan)
    return pd.Series(found, index=summary.index)
