"""Intervals and ratios. The replicate is the unit: a set of fresh processes gives one number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.statistics import moderation
from reports.frames import ARM, BENCHMARK

LEVEL = 0.95


def intervals(groups: Sequence[np.ndarray], level: float = LEVEL) -> pd.DataFrame:
    """Per group of replicates' logs: value, low, high on the scale of the values, p against 1, and n.

    A t interval over replicates, its variance moderated by those of the other groups. One replicate has no
    interval: it is infinite, and p is 1.
    """
    n = np.array([len(group) for group in groups], float)
    mean = np.array([group.mean() for group in groups])
    raw = np.array([group.var(ddof=1) if len(group) > 1 else 0.0 for group in groups])
    variance, freedom = moderation.moderated(raw, n - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(variance / n)
        half = np.where(n > 1, stats.t.ppf(0.5 + level / 2, np.maximum(freedom, 1)) * error, np.inf)
        t = np.where(mean == 0, 0.0, np.abs(mean) / error)
    p = np.where(n > 1, 2 * stats.t.sf(t, np.maximum(freedom, 1)), 1.0)
    return pd.DataFrame(
        {"value": np.exp(mean), "low": np.exp(mean - half), "high": np.exp(mean + half), "p": p, "n": n.astype(int)}
    )


def noise(records: pd.DataFrame) -> float:
    """A run's noise: the median of the arms' standard deviations of log seconds between replicates; NaN if none."""
    failed = (records["status"] != "ok").groupby([records[name] for name in ARM], observed=True).transform("any")
    sound = records[~failed]
    logs = pd.Series(np.log(sound["seconds"].to_numpy(float)), index=sound.index)
    spreads = logs.groupby([sound[name] for name in ARM], observed=True).std()
    return float(spreads.median())


def times(records: pd.DataFrame) -> pd.DataFrame:
    """Per ARM: seconds, low, high, n. `records` has one row a replicate, all ok."""
    return _per_arm(records.assign(log=np.log(records["seconds"].to_numpy(float))), "log", "seconds")


def block_logs(turns: pd.DataFrame) -> pd.DataFrame:
    """The mean log time of each arm in each block: its two mirrored turns together."""
    logs = turns.assign(log=np.log(turns["seconds"].to_numpy(float)))
    return logs.groupby(["run_id", *ARM, "replicate", "block"], sort=False, observed=True)["log"].mean().reset_index()


def replicate_log_ratios(logs: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Per replicate: the median over blocks of the log of each arm's time to the baseline's in the same block."""
    keys = ["run_id", *BENCHMARK, "replicate", "block"]
    base = logs.loc[logs["implementation"] == baseline, [*keys, "log"]]
    paired = logs.merge(base, on=keys, suffixes=("", "_base"))
    paired["log_ratio"] = paired["log"] - paired["log_base"]
    return paired.groupby(["run_id", *ARM, "replicate"], sort=False, observed=True)["log_ratio"].median().reset_index()


def ratios(turns: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Per ARM but the baseline: ratio to it, low, high, p, n. Only blocks that both took part in count."""
    return ratios_of(block_logs(turns), baseline)


def ratios_of(blocks: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """The same of what block_logs gave, for who takes ratios to several baselines."""
    logs = replicate_log_ratios(blocks, baseline)
    return _per_arm(logs[logs["implementation"] != baseline], "log_ratio", "ratio")


def _per_arm(rows: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    """Intervals of a column of logs, per ARM; the result's columns start with `name`."""
    arms = rows.drop_duplicates(ARM)[ARM].reset_index(drop=True)
    number = rows.groupby(ARM, sort=False, observed=True).ngroup().to_numpy()  # of its arm, in the same order
    order = np.argsort(number, kind="stable")
    starts = np.searchsorted(number[order], np.arange(len(arms)))
    groups = np.split(rows[column].to_numpy(float)[order], starts)[1:]
    found = intervals(groups).rename(columns=lambda c: name if c == "value" else f"{name}_{c}")
    return pd.concat([arms, found], axis=1)
