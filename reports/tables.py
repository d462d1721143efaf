"""A run's tables, one for each benchmark: their columns and rows, in the form that every output starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmarks.tables import Column
from reports import formatting, tracks
from reports.frames import BENCHMARK
from reports.verdict import BASELINE


def is_ok(row: Any) -> bool:
    """Return whether a row of a summary has a time."""
    return bool(row.status == "ok")


def where_ok(cell: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return a cell that is empty in the row of a failed arm."""
    return lambda row: cell(row) if is_ok(row) else ""


def word(name: str) -> Callable[[Any], str]:
    """Return a cell that shows an attribute of a row as it is; nothing known is a dash."""
    return lambda row: "–" if pd.isna(getattr(row, name)) else str(getattr(row, name))


def words_of(name: str, header: str | None = None) -> Column:
    """Return the column of an attribute that holds words; its header is the name, where nothing else is given."""
    return Column(name, header or name, word(name), words=True)


def time_of(suffix: str = "") -> Callable[[Any], str]:
    """Return a cell that shows a time with its interval."""
    ends = [f"{name}{suffix}" for name in ("seconds", "seconds_low", "seconds_high")]
    return lambda row: formatting.time_with_interval(*(float(getattr(row, end)) for end in ends))


def ratio(name: str = "ratio") -> Callable[[Any], str]:
    """Return a cell that shows a ratio with its interval."""
    ends = (name, f"{name}_low", f"{name}_high")
    return lambda row: (
        "–" if pd.isna(getattr(row, name)) else formatting.interval(*(float(getattr(row, end)) for end in ends))
    )


def _time(row: Any) -> str:
    """Return the time with its interval; for a failed arm its status."""
    return time_of()(row) if is_ok(row) else str(row.status)


def _ratio(row: Any) -> str:
    return "1" if row.verdict == BASELINE else ratio()(row)


def _two_decimals(name: str) -> Callable[[Any], str]:
    return lambda row: "–" if pd.isna(getattr(row, name)) else f"{getattr(row, name):.2f}"


def peak(row: Any) -> str:
    """Return the share of the peak."""
    return formatting.share(row.peak_share)


def _pipelined(row: Any) -> str:
    return formatting.duration(row.pipelined_seconds)


def _gpu_busy(row: Any) -> str:
    if pd.isna(row.gpu_seconds):
        return formatting.duration(row.gpu_seconds)
    return f"{formatting.duration(row.gpu_seconds)} ({row.gpu_kernels:.0f})"


REASON = Column("reason", "reason", lambda row: str(row.reason), words=True)
"""Why an arm failed; only in a table that has a failed arm."""


def of_summary(baseline: str) -> Sequence[Column]:
    """Return the columns of a benchmark's table; the first one names the row."""
    return (
        Column("implementation", "implementation", word("implementation"), words=True, breakable=False),
        Column("track", "track", word("track"), words=True, priority=1),
        Column("time", "time [95 % interval]", _time, sort="seconds"),
        Column("ratio", f"× {baseline} [95 %]", where_ok(_ratio), sort="ratio"),
        Column("verdict", "verdict", where_ok(word("verdict")), words=True),
        Column("fastest", "fastest in its track", where_ok(word("fastest")), words=True, priority=7),
        Column("peak", "% of peak", where_ok(peak), False, 5, "peak_share"),
        Column("cores", "cores", where_ok(_two_decimals("cores_used")), priority=8, sort="cores_used"),
        Column(
            "first_call",
            "first call",
            lambda row: formatting.duration(row.first_call_seconds),
            priority=4,
            sort="first_call_seconds",
        ),
        Column("pipelined", "pipelined", _pipelined, priority=6, sort="pipelined_seconds"),
        Column("gpu", "GPU busy", _gpu_busy, priority=5, sort="gpu_seconds"),
        Column("memory", "memory", lambda row: formatting.size(row.peak_bytes), priority=3, sort="peak_bytes"),
        Column("error", "error", lambda row: formatting.error(row.error), priority=2, sort="error"),
        Column("kernel", "kernel", where_ok(word("kernel")), words=True, priority=0),
    )


NOT_ALWAYS = {"kernel": "kernel", "pipelined": "pipelined_seconds", "gpu": "gpu_seconds"}
"""Columns that are left out where nothing is known, with what they show: an older run, or one on a CPU."""


@dataclass(frozen=True)
class Section:
    """The table of one benchmark: its columns, and its rows of the summary, grouped by track.

    `benchmark` is its problem, workload, mode and device.
    """

    benchmark: tuple[str, ...]
    columns: Sequence[Column]
    rows: Sequence[Any]

    @property
    def title(self) -> str:
        """Such as `t64-b16-i128-h128 · sequence · forward · cpu`."""
        return " · ".join(self.benchmark)

    @property
    def columns_with_reason(self) -> Sequence[Column]:
        """The columns, and that of the reasons where an arm failed."""
        return self.columns if all(map(is_ok, self.rows)) else (*self.columns, REASON)


def sections(summary: pd.DataFrame, baseline: str) -> Iterator[Section]:
    """Yield a Section for each benchmark; its rows are in the order of the tracks, and then the fastest first."""
    unknown = {key for key, name in NOT_ALWAYS.items() if summary[name].isna().all()}
    shown = [column for column in of_summary(baseline) if column.key not in unknown]
    ranked = summary.assign(rank=summary["track"].astype(str).map(tracks.rank))
    for benchmark, group in ranked.groupby(BENCHMARK, sort=False, observed=True):
        rows = group.sort_values(["rank", "track", "seconds"], kind="stable")
        yield Section(tuple(map(str, benchmark)), shown, list(rows.itertuples(index=False)))


def style(row: Any) -> str:
    """Return the word that decides how a row looks: its verdict, or `failed`."""
    return str(row.verdict) if is_ok(row) else "failed"
