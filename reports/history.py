"""One benchmark over many runs: its time and ratio in each, a table of them side by side, and a chart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmarks import processors
from benchmarks.metadata import UNKNOWN, Metadata, name_and_driver
from benchmarks.tables import Column
from benchmarks.words import count
from impls.core.precision import TF32
from reports import formatting, tracks
from reports.charts import marks, style
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import plain
from reports.frames import BENCHMARK
from reports.report import Answer, Report

ESTIMATES = [f"{name}{end}" for name in ("seconds", "ratio") for end in ("", "_low", "_high")]
DRAWN = {"workload": "sequence", "mode": "train_step"}
"""The workload and the mode of which there is a chart."""


def machine_label(metadata: Metadata) -> str:
    """Return the processor with all that is known of it, the GPU if there is one, and the threads.

    Times are compared only where all are equal. The GPU's driver is not among it: like a version, it may be what
    changed a time.
    """
    machine, run = metadata.machine, metadata.run
    gpu = f" + {name_and_driver(machine.gpu)[0]}" if machine.gpu else ""
    gpu += ", TF32" if run.precision == TF32 else ""
    threads = count(run.threads, "thread") if run.threads else f"{UNKNOWN} threads"
    return f"{processors.key(machine)}{gpu}, {threads}"


def began(run_id: str) -> Any:
    """Return when a run began, in UTC, as its id says; NaT where the id does not say it."""
    return pd.to_datetime(run_id.partition("-")[0], format="%Y%m%dT%H%M%S", utc=True, errors="coerce")


def history(reported: Sequence[Report]) -> pd.DataFrame:
    """Return a row for each machine, BENCHMARK, implementation and run in which it was measured; the oldest run first.

    Only those that have a ratio to the baseline of the first run.

    Columns: machine, BENCHMARK, implementation, run_id, date, commit, versions; seconds and ratio (to the run's own
    baseline), each with _low and _high; baseline.
    """
    parts = []
    for each in reported:
        metadata, summary = each.run.metadata, each.summary
        kept = summary[[*BENCHMARK, "implementation", "versions", *ESTIMATES]].assign(
            machine=machine_label(metadata),
            run_id=each.run.run_id,
            date=began(each.run.run_id),
            commit=metadata.commit.id,
            baseline=each.baseline,
        )
        if driver := name_and_driver(metadata.machine.gpu)[1]:
            on_gpu = kept["device"] == "cuda"
            kept["versions"] = kept["versions"].astype(str) + np.where(on_gpu, f", driver {driver}", "")
        parts.append(kept)
    series = ["machine", *BENCHMARK, "implementation"]
    columns = [*series, "run_id", "date", "commit", "versions", *ESTIMATES, "baseline"]
    past = pd.concat(parts, ignore_index=True)[columns]
    past["date"] = pd.to_datetime(past["date"], utc=True)  # NaT of an id without a time has no zone
    past = past[past["ratio"].notna() & (past["baseline"] == reported[0].baseline)]
    return past.sort_values([*series, "date", "run_id"], kind="stable", ignore_index=True)


def tables(reported: Sequence[Report], past: pd.DataFrame) -> list[Answer]:
    """Return a table for each benchmark that at least two of the runs have: a column for each run, the oldest first."""
    labels = {each.run.run_id: each.label for each in reported}
    summaries = pd.concat([each.summary for each in reported])
    track_of = dict(zip(summaries["implementation"], summaries["track"], strict=True))
    shown = past.assign(text=[*map(formatting.interval, past["ratio"], past["ratio_low"], past["ratio_high"])])
    found = []
    for benchmark, rows in shown.groupby(BENCHMARK, sort=False, observed=True):
        if len(rows["run_id"].unique()) > 1:
            cells = rows.pivot_table("text", "implementation", "run_id", "first", fill_value="–")
            order = sorted(cells.index, key=lambda name: (tracks.rank(track_of[name]), name))
            columns = [Column("implementation", "implementation", itemgetter(0), words=True)]
            columns += [Column(name, labels[name], itemgetter(k)) for k, name in enumerate(cells.columns, 1)]
            title = " · ".join(map(str, benchmark))
            found.append(Answer(title, "", columns, cells.loc[order].reset_index()))
    return found


def draw(past: pd.DataFrame) -> Iterator[Drawing]:
    """Yield a chart for each machine and device with two runs or more."""
    asked = past[past["date"].notna() & (past["implementation"] != past["baseline"])]
    for column, value in DRAWN.items():
        asked = asked[asked[column] == value]
    for (machine, device), rows in asked.groupby(["machine", "device"], sort=False, observed=True):
        if len(set(rows["run_id"])) > 1:
            yield _drawing(str(machine), str(device), rows)


def _said(row: Any) -> str:
    ratio = formatting.interval(row.ratio, row.ratio_low, row.ratio_high)
    commit = f"commit {row.commit[:12]}, " if row.commit else ""
    return f"{row.implementation}, {row.problem}, {row.date:%Y-%m-%d}: {ratio}; {commit}{row.versions}"


def _drawing(machine: str, device: str, rows: pd.DataFrame) -> Drawing:
    rows, problems, more = marks.first(rows)
    names = list(dict.fromkeys(marks.words(rows, "implementation")["implementation"]))
    data = marks.points(rows, "ratio", _said, "implementation", "problem")
    data["date"] = rows["date"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    baseline = str(rows["baseline"].iloc[0])
    ends = style.limits(data, "ratio")

    def chart(width: int) -> Any:
        columns = max(1, min(len(problems), 3, width // 300))
        each = width // columns - 75
        x = alt.X("date:T", title=None, axis=alt.Axis(format="%Y-%m-%d", tickCount=3, grid=False, labelOverlap=True))
        y = marks.log_axis(f"time, × {plain(baseline)}", ends, 200)
        legend = alt.Legend(columns=2 if columns == 1 else 5)
        color = alt.Color("implementation:N", scale=marks.several(names), legend=legend)
        line = alt.Chart().mark_line(strokeWidth=1.2).encode(x=x, y=alt.Y("ratio:Q", **y), color=color)
        known = alt.Chart().transform_filter("isValid(datum.low)")
        interval = known.mark_rule(strokeWidth=1.4).encode(x=x, y=alt.Y("low:Q", **y), y2="high:Q", color=color)
        point = alt.Chart().mark_point(shape="circle", size=35)
        point = point.encode(x=x, y=alt.Y("ratio:Q", **y), color=color, description="said:N")
        panel = alt.layer(line, interval, point).properties(width=each, height=200)
        return panel.facet(facet=alt.Facet("problem:N", sort=problems, title=None), columns=columns, data=data)

    title = f"{', '.join(DRAWN.values())} on {plain(machine, 80)}{'' if device == 'cpu' else f', {device}'}{more}"
    text = (
        f"Line charts over the runs on {machine}, a panel for each problem: the time of each implementation over"
        f" {baseline}'s time, with 95 % intervals, on a logarithmic axis."
    )
    name = file_name("history", machine, device)
    return Drawing(name, title, text, None, DRAWN["mode"], list(data["said"]), chart)
