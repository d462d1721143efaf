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
    records = sound(report.run.records)[[*ARM, "batch", "track", "run_id"]].join(
        of_turns, how="inner"
    )
    arm, known = [*ARM, "batch", "track"], lasting(report.run)
    parts = []
    for name in TIMES:
        rows = records.assign(log=np.log(records[name]), round=records["run_id"])
        parts.append(intervals(rows, arm, name, known.time).set_index(arm))
    return pd.concat(parts, axis=1).reset_index()


def make(report: Report) -> Iterator[Answer]:
    """Yield the median, the 99th percentile and the largest of a turn's calls.

    The peak does nothing but multiply and add on one processor. So what its slowest calls take beyond its median is the
    machine's.
    """
    rows = tails(report)
    if rows.empty:
        return
    added = rows.loc[rows["track"] == PEAK, BENCHMARK].assign(
        **{f"added_{name}": rows[name] - rows["seconds"] for name in TIMES}
    )
    rows = rows[rows["track"] != PEAK].merge(added, on=BENCHMARK, how="left")
    order = {problem: k for k, problem in enumerate(dict.fromkeys(rows["problem"]))}
    rows = rows.sort_values(
        ["problem", "p99_seconds"], key=lambda of: of.map(order) if of.name == "problem" else of
    )
    best = rows.drop_duplicates(BENCHMARK)
    rivals = rows.drop(best.index).groupby(BENCHMARK)["p99_seconds_low"].min().rename("rival")
    best = best.join(rivals, on=BENCHMARK)
    best["clearly"] = np.where(best["rival"] <= best["p99_seconds_high"], ", unclear", "")
    named = best[["implementation", "problem", "p99_seconds", "clearly"]].itertuples(index=False)
    said = [
        f"{name} at {problem} ({duration(seconds)}{clearly})"
        for name, problem, seconds, clearly in named
    ]
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
    yield Answer(TITLE, f"The lowest p99 that was measured: {', '.join(said)}.", columns, rows)


def _micro(name: str) -> Callable[[Any], str]:
    ends = (name, f"{name}_low", f"{name}_high")
    return lambda row: interval(*(1e6 * float(getattr(row, end)) for end in ends))


def _added(row: Any) -> str:
    if pd.isna(row.added_p99_seconds):
        return "–"
    return ", ".join(
        f"+{two_digits(1e6 * value)}"
        for value in (row.added_p99_seconds, row.added_largest_seconds)
    )
