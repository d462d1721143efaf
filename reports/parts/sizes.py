"""Time against sequence length, batch and hidden size, where a run has problems that differ in that size alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from reports import formatting
from reports.charts import marks, style
from reports.charts.drawing import WIDTH, Drawing, file_name
from reports.charts.style import PAPER, plain
from reports.report import SIZES, Report, largest, problems_of
from reports.verdict import UNCLEAR

SECTION, ORDER = "more", 20
HEIGHT = 260
"""Of a panel, in pixels."""
ENOUGH = 3
"""The fewest problems of a panel."""
LETTERS = {"seq_len": "T", "batch": "B", "input_size": "I", "hidden_size": "H", "num_layers": "L"}


def make(report: Report) -> Iterator[Drawing]:
    """Yield a chart for each workload, mode and device that has a panel; a panel needs ENOUGH problems."""
    problems, shown = problems_of(report.run.records), marks.asked(report)
    for (workload, mode, device), rows in shown.groupby(["workload", "mode", "device"], sort=False):
        # one step is the same work for every T
        swept = [size for size in SIZES if workload != "cell" or size != "seq_len"]
        here = problems[problems["problem"].isin(rows["problem"])]
        families = {size: largest(here, size) for size in swept}
        families = {size: family for size, family in families.items() if family[size].nunique() >= ENOUGH}
        if families:
            yield _drawing((str(workload), str(mode), str(device)), rows, families)


def _drawing(where: tuple[str, str, str], measured: pd.DataFrame, families: dict[str, pd.DataFrame]) -> Drawing:
    workload, mode, device = where
    data = {size: _points(measured, family, size) for size, family in families.items()}
    every = pd.concat(data.values())
    ends = style.limits(every, "value")
    names = list(np.log(every["value"]).groupby(every["implementation"]).mean().sort_values().index)

    def chart() -> Any:
        axis = marks.log_axis("time of one call", ends, HEIGHT, time=True)
        drawn = [_panel(data[size], size, _fixed(families[size], size), names, axis, WIDTH - 80) for size in families]
        return alt.vconcat(*drawn).resolve_scale(color="shared", shape="shared", y="shared")

    text = (
        f"Line charts on logarithmic axes: time of {workload}, {mode} against"
        f" {', '.join(SIZES[size] for size in families)}, a line for each implementation. A hollow mark is"
        f" {UNCLEAR}."
    )
    title = f"Time against size: {marks.where(device, workload, mode)}"
    return Drawing(file_name("sizes", *where), title, text, list(every["said"]), chart)


def _points(measured: pd.DataFrame, family: pd.DataFrame, size: str) -> pd.DataFrame:
    """Return the points of a panel: size, value with low and high, whether it is clear, and words."""
    rows = measured.merge(family[["problem", size]], on="problem").sort_values(["implementation", size])
    points = marks.points(rows, "seconds", _said, "implementation").rename(columns={"seconds": "value"})
    return points.assign(size=rows[size].astype(int), clear=rows["verdict"] != UNCLEAR)


def _said(row: Any) -> str:
    time = formatting.time_with_interval(row.seconds, row.seconds_low, row.seconds_high)
    where = f"{row.implementation}, {row.problem}, {row.verdict}"
    return f"{where}: {time}; {row.seconds_n:.0f} replicates; {row.versions}"


def _panel(data: pd.DataFrame, size: str, fixed: str, names: list[str], axis: dict[str, Any], width: int) -> Any:
    values = sorted(set(data["size"]))
    room = (values[-1] / values[0]) ** 0.04
    x = alt.X(
        "size:Q",
        scale=alt.Scale(type="log", domain=[values[0] / room, values[-1] * room], nice=False),
        axis=alt.Axis(values=values, format="d", title=SIZES[size], grid=False, labelOverlap=True),
    )
    scale = marks.several(names)
    color = alt.Color("implementation:N", scale=scale, legend=alt.Legend(columns=2))
    base = alt.Chart(data)
    line = base.mark_line(strokeWidth=1.3).encode(x=x, y=alt.Y("value:Q", **axis), color=color)
    known = base.transform_filter("isValid(datum.low)")
    interval = known.mark_rule().encode(x=x, y=alt.Y("low:Q", **axis), y2="high:Q", color=color)
    point = base.mark_point(filled=False, strokeWidth=1.6, size=40).encode(
        x=x,
        y=alt.Y("value:Q", **axis),
        color=color,
        fill=alt.condition("datum.clear", alt.Color("implementation:N", scale=scale, legend=None), alt.value(PAPER)),
        description="said:N",
    )
    return alt.layer(line, interval, point).properties(width=width, height=HEIGHT, title=plain(fixed, 60))


def _fixed(family: pd.DataFrame, size: str) -> str:
    """Return what the problems of a family have in common, such as `B = 16, I = 128, H = 128`."""
    parts = [
        f"{letter} = {family[name].iloc[0] if len(set(family[name])) == 1 else 'H'}"
        for name, letter in LETTERS.items()
        if name != size and (name != "num_layers" or family[name].iloc[0] > 1)
    ]
    parts += ["both directions"] if family["bidirectional"].iloc[0] else []
    parts += [] if family["bias"].iloc[0] else ["no bias"]
    return ", ".join(parts)
