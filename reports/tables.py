"""A run's tables, one for each benchmark, in the form that every output starts from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmarks.columns import Column
from reports import columns, tracks
from reports.columns import REASON, is_ok
from reports.frames import BENCHMARK

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
    shown = [column for column in columns.of_summary(baseline) if column.key not in unknown]
    ranked = summary.assign(rank=summary["track"].astype(str).map(tracks.rank))
    for benchmark, group in ranked.groupby(BENCHMARK, sort=False, observed=True):
        rows = group.sort_values(["rank", "track", "seconds"], kind="stable")
        yield Section(tuple(map(str, benchmark)), shown, list(rows.itertuples(index=False)))


def style(row: Any) -> str:
    """Return the word that decides how a row looks: its verdict, or `failed`."""
    return str(row.verdict) if is_ok(row) else "failed"
