"""Runs side by side: each benchmark's ratios run by run, and where on one machine their level changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reports import formatting, history
from reports.frames import BENCHMARK
from reports.tables import TRACKS

if TYPE_CHECKING:
    from reports.site import Reported

CHANGED = " ▲"


@dataclass(frozen=True)
class OverRuns:
    """A table per benchmark that at least two runs hold, for the template, and what is said of change points."""

    tables: list[dict[str, Any]]
    note: str


def over_runs(reported: Sequence[Reported]) -> OverRuns:
    """Every benchmark of several runs; empty where no two runs share one."""
    past = history.history([one.run for one in reported], [one.summary for one in reported])
    # a ratio to another baseline is no change
    past = past[past["ratio"].notna() & (past["baseline"] == reported[0].run.options["baseline"])]
    labels = {str(one.run.options["run_id"]): one.label for one in reported}
    tracks = {
        str(row.implementation): str(row.track) for one in reported for row in one.summary.itertuples(index=False)
    }
    tables = [
        _table(dict(zip(BENCHMARK, map(str, key), strict=True)), rows, labels, tracks)
        for key, rows in past.groupby(BENCHMARK, sort=False, observed=True)
        if len(rows["run_id"].unique()) > 1
    ]
    return OverRuns(tables, _note(past))


def _note(past: pd.DataFrame) -> str:
    """How many runs there are on each machine, and from how many on changes are looked for."""
    most = past.groupby("machine", observed=True)["run_id"].nunique().max() if len(past) else 0
    if not history.LOOKED_FOR:
        return "Changes of level are not looked for: ruptures is not installed."
    if most < history.LEAST:
        return f"Changes of level are looked for from {history.LEAST} runs on one machine on; here are at most {most}."
    return f"A mark ({CHANGED.strip()}) stands where the level changed, against the runs before on the same machine."


def _table(
    benchmark: dict[str, str], rows: pd.DataFrame, labels: dict[str, str], tracks: dict[str, str]
) -> dict[str, Any]:
    """A row per implementation, a column per run, the oldest first."""
    runs = sorted(set(rows["run_id"].astype(str)))
    cells: dict[str, dict[str, str]] = {}
    for (_, name), series in rows.groupby(["machine", "implementation"], sort=False, observed=True):
        ordered = series.sort_values("run_id")
        logs = np.log(ordered["ratio"].to_numpy(float))
        # an interval is 1.96 standard errors or more to either side
        errors = np.log(ordered["ratio_high"].to_numpy(float) / ordered["ratio_low"].to_numpy(float)) / (2 * 1.96)
        changed = set(history.change_points(logs, errors)) if (errors > 0).all() else set()
        for k, row in enumerate(ordered.itertuples(index=False)):
            shown = formatting.interval(float(row.ratio), float(row.ratio_low), float(row.ratio_high))  # type: ignore[arg-type]
            cells.setdefault(str(name), {})[str(row.run_id)] = shown + (CHANGED if k in changed else "")
    order = sorted(cells, key=lambda name: (TRACKS.get(tracks[name], len(TRACKS)), name))
    return {
        **benchmark,
        "title": " · ".join(benchmark.values()),
        "header": ["implementation", *(labels[run] for run in runs)],
        "rows": [[name, *(cells[name].get(run, "–") for run in runs)] for name in order],
    }
