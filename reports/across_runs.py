"""Runs side by side: the ratios of each benchmark, run by run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from benchmarks.columns import Column
from reports import formatting, history, tracks
from reports.frames import BENCHMARK
from reports.report import Report


@dataclass(frozen=True)
class RunsTable:
    """One benchmark over several runs: a row for each implementation, a column for each run."""

    title: str  # such as `t64-b16-i128-h128 · sequence · forward · cpu`
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class AcrossRuns:
    """The tables of the benchmarks that several runs have, and what they are made of.

    `past` has the rows of reports.history whose ratio is to the baseline of the first run.
    """

    tables: Sequence[RunsTable]
    past: pd.DataFrame


def across_runs(reported: Sequence[Report]) -> AcrossRuns:
    """Return a table for each benchmark that at least two of the runs have."""
    past = history.history([each.run for each in reported], [each.summary for each in reported])
    # a ratio to another baseline can't be compared
    past = past[past["ratio"].notna() & (past["baseline"] == reported[0].run.baseline)]
    labels = {each.run.run_id: each.label for each in reported}
    track_of: dict[str, str] = {}
    for each in reported:
        names, of_names = (each.summary[column].astype(str) for column in ("implementation", "track"))
        track_of |= dict(zip(names, of_names, strict=True))
    tables = [
        _table(list(map(str, benchmark)), rows, labels, track_of)
        for benchmark, rows in past.groupby(BENCHMARK, sort=False, observed=True)
        if len(rows["run_id"].unique()) > 1
    ]
    return AcrossRuns(tables, past)


def _table(
    benchmark: Sequence[str], rows: pd.DataFrame, labels: Mapping[str, str], track_of: Mapping[str, str]
) -> RunsTable:
    """Return one benchmark's table; the oldest run comes first."""
    run_ids = sorted(set(rows["run_id"].astype(str)))
    cells: dict[str, dict[str, str]] = {}
    row: Any
    for row in rows.itertuples(index=False):
        shown = formatting.interval(float(row.ratio), float(row.ratio_low), float(row.ratio_high))
        cells.setdefault(str(row.implementation), {})[str(row.run_id)] = shown
    order = sorted(cells, key=lambda name: (tracks.rank(track_of[name]), name))
    columns = [Column("implementation", "implementation", lambda row: row["implementation"], words=True)]
    columns += [Column(run_id, labels[run_id], partial(_cell, run_id=run_id)) for run_id in run_ids]
    return RunsTable(" · ".join(benchmark), columns, [{"implementation": name, **cells[name]} for name in order])


def _cell(row: Mapping[str, str], run_id: str) -> str:
    return row.get(run_id, "–")
