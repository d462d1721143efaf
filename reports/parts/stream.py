"""How long the slowest of 1,000 calls takes where each call is one step, and how much of that is the machine's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.tables import Column
from benchmarks.words import duration, interval, two_digits
from reports.estimates import intervals, lasting, sound
from reports.frames import ARM, BENCHMARK
from reports.report import Answer, Report
from reports.tables import words_of
from reports.tracks import PEAK

TITLE = "How late is the slowest step of a stream?"
TIMES = ["seconds", "p99_seconds", "largest_seconds"]
"""The median, the 99th percentile and the largest of a turn's calls."""


def tails(report: Report) -> pd.DataFrame:
    """Return a row for each ARM of a stream: its batch and track, and TIMES with _low and _high.

    Of a replicate, each is the median over its turns.
    """
    of_turns = report.run.turns.dropna(subset=TIMES).groupby("record")[TIMES].median()
    arm = [*ARM, "batch", "track"]
    records = sound(report.run.records)[[*arm, "run_id"]].join(of_turns, how="inner")
    lasts = lasting(report.run)
    rows = records[arm].drop_duplicates()
    for name in TIMES:
        logs = records.assign(log=np.log(records[name]), round=records["run_id"])
        times = intervals(logs[[*arm, "log", "round"]], arm, name, lasts.time if lasts else None)
        rows = rows.merge(times, on=arm)
    return rows


def make(report: Report) -> Iterator[Answer]:
    """Yield the median, the 99th percentile and the largest of a turn's calls.

    The peak does nothing but multiply and add on one processor. So what its slowest calls take beyond its median is the
    machine's.
    """
    rows = tails(report)
    if rows.empty:
        return
    rows["position"] = rows.groupby("problem", sort=False).ngroup()
    is_peak = rows["track"] == PEAK
    peak = rows.loc[is_peak, BENCHMARK]
    for name in TIMES[1:]:
        peak[f"added_{name}"] = rows[name] - rows["seconds"]
    rows = rows[~is_peak].merge(peak, on=BENCHMARK, how="left")
    rows = rows.sort_values(["position", "p99_seconds"])
    columns = (
        words_of("problem"),
        Column("batch", "rows a call", lambda row: str(row.batch), sort="batch"),
        words_of("implementation"),
        Column("p50", "p50, µs [95 %]", _micro("seconds"), sort="seconds"),
        Column("p99", "p99, µs [95 %]", _micro("p99_seconds"), sort="p99_seconds"),
        Column(
            "largest",
            "largest of 1,000, µs [95 %]",
            _micro("largest_seconds"),
            sort="largest_seconds",
        ),
        Column("machine", "the machine's own: p99, largest, µs", _added),
    )
    lowest = ", ".join(_lowest(contest) for _, contest in rows.groupby(BENCHMARK, sort=False))
    yield Answer(TITLE, f"The lowest p99 that was measured: {lowest}.", columns, rows)


def _lowest(rows: pd.DataFrame) -> str:
    """Return what has the lowest p99 of a benchmark's rows, which have the lowest first, and whether it is clear."""
    best = rows.iloc[0]
    time = duration(best["p99_seconds"])
    if (rows["p99_seconds_low"].iloc[1:] <= best["p99_seconds_high"]).any():
        time += ", unclear"
    return f"{best['implementation']} at {best['problem']} ({time})"


def _micro(name: str) -> Callable[[Any], str]:
    ends = (name, f"{name}_low", f"{name}_high")
    return lambda row: interval(*(1e6 * float(getattr(row, end)) for end in ends))


def _added(row: Any) -> str:
    if pd.isna(row.added_p99_seconds):
        return "–"
    p99 = two_digits(1e6 * row.added_p99_seconds)
    return f"+{p99}, +{two_digits(1e6 * row.added_largest_seconds)}"
