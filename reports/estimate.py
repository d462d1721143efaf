"""Intervals and ratios. The replicate is the unit: a set of fresh processes gives one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from reports.frame import ARM, BENCHMARK

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with its interval, and the p-value against 1 (of a ratio); n replicates."""

    value: float
    low: float
    high: float
    p: float
    n: int


def from_logs(logs: np.ndarray, level: float = LEVEL) -> Estimate:
    """A t interval over the replicates' logs, back on the scale of the values.

    One replicate has no interval (it is infinite, and p is 1).
    """
    n, mean = len(logs), float(np.mean(logs))
    if n < 2:
        return Estimate(float(np.exp(mean)), 0.0, np.inf, 1.0, n)
    error = float(np.std(logs, ddof=1)) / np.sqrt(n)
    half = float(stats.t.ppf(0.5 + level / 2, n - 1)) * error
    if error == 0:
        p = 1.0 if mean == 0 else 0.0
    else:
        p = float(2 * stats.t.sf(abs(mean) / error, n - 1))
    return Estimate(*(float(np.exp(v)) for v in (mean, mean - half, mean + half)), p, n)


def times(records: pd.DataFrame) -> pd.DataFrame:
    """Per ARM: seconds, low, high, n. `records` has one row a replicate, all ok."""
    rows = []
    for key, group in records.groupby(ARM, sort=False):
        found = from_logs(np.log(group["seconds"].to_numpy(float)))
        rows.append({**dict(zip(ARM, key, strict=True)), **_fields(found, "seconds")})
    return pd.DataFrame(rows, columns=[*ARM, *_names("seconds")])


def block_logs(turns: pd.DataFrame) -> pd.DataFrame:
    """The mean log time of each arm in each block: its two mirrored turns together."""
    logs = turns.assign(log=np.log(turns["seconds"].to_numpy(float)))
    return logs.groupby(["run_id", *ARM, "replicate", "block"], as_index=False, sort=False)["log"].mean()


def replicate_log_ratios(logs: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Per replicate: the median over blocks of the log of each arm's time to the baseline's in the same block."""
    keys = ["run_id", *BENCHMARK, "replicate", "block"]
    base = logs.loc[logs["implementation"] == baseline, [*keys, "log"]]
    paired = logs.merge(base, on=keys, suffixes=("", "_base"))
    paired["log_ratio"] = paired["log"] - paired["log_base"]
    return paired.groupby(["run_id", *ARM, "replicate"], as_index=False, sort=False)["log_ratio"].median()


def ratios(turns: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Per ARM: ratio to the baseline, low, high, p, n. Only blocks that both took part in count."""
    rows = []
    if len(turns):
        for key, group in replicate_log_ratios(block_logs(turns), baseline).groupby(ARM, sort=False):
            if key[-1] != baseline:
                found = from_logs(group["log_ratio"].to_numpy(float))
                rows.append({**dict(zip(ARM, key, strict=True)), **_fields(found, "ratio")})
    return pd.DataFrame(rows, columns=[*ARM, *_names("ratio")])


def _names(name: str) -> list[str]:
    return [name, f"{name}_low", f"{name}_high", f"{name}_p", f"{name}_n"]


def _fields(found: Estimate, name: str) -> dict[str, float]:
    return dict(zip(_names(name), (found.value, found.low, found.high, found.p, found.n), strict=True))
