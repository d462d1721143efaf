"""Ratios over the runs of a machine: a panel for each problem."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import pandas as pd

from reports import formatting
from reports.charts import marks, style
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import plain

WHAT = {"workload": "sequence", "mode": "train_step"}


def draw(past: pd.DataFrame) -> Iterator[Drawing]:
    """Yield a chart for each machine and device with two runs or more.

    Args:
        past: rows of reports.history that have the same baseline.
    """
    asked = past[past["date"].notna() & (past["implementation"] != past["baseline"])]
    for column, value in WHAT.items():
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
    ends = style.limits(rows["ratio"], rows["ratio_low"], rows["ratio_high"])

    def chart(width: int) -> Any:
        columns = max(1, min(len(problems), 3, width // 300))
        each = width // columns - 75
        x = alt.X("date:T", title=None, axis=alt.Axis(format="%Y-%m-%d", tickCount=3, grid=False, labelOverlap=True))
        y = marks.log_axis(f"time, × {plain(baseline)}", ends, most=6)
        legend = alt.Legend(columns=2 if columns == 1 else 5)
        color = alt.Color("implementation:N", scale=marks.several(names), legend=legend)
        line = alt.Chart().mark_line(strokeWidth=1.2).encode(x=x, y=alt.Y("ratio:Q", **y), color=color)
        known = alt.Chart().transform_filter("isValid(datum.low)")
        interval = known.mark_rule(strokeWidth=1.4).encode(x=x, y=alt.Y("low:Q", **y), y2="high:Q", color=color)
        point = alt.Chart().mark_point(shape="circle", size=35)
        point = point.encode(x=x, y=alt.Y("ratio:Q", **y), color=color, description="said:N")
        panel = alt.layer(line, interval, point).properties(width=each, height=200)
        return panel.facet(facet=alt.Facet("problem:N", sort=problems, title=None), columns=columns, data=data)

    title = f"{', '.join(WHAT.values())} on {plain(machine, 80)}{'' if device == 'cpu' else f', {device}'}{more}"
    text = (
        f"Line charts over the runs on {machine}, a panel for each problem: the time of each implementation over"
        f" {baseline}'s time, with 95 % intervals, on a logarithmic axis."
    )
    name = file_name("history", machine, device)
    return Drawing(name, title, text, None, WHAT["mode"], list(data["said"]), chart)
