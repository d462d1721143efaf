"""Forward and training step side by side: for each problem, the time of both in each implementation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import pandas as pd

from reports.charts import marks, style
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import BLUE, PURPLE, SOFT, plain
from reports.frames import Run

MODES = {"forward": (BLUE, "circle"), "train_step": (PURPLE, "triangle-up")}


def draw(run: Run, summary: pd.DataFrame) -> Iterator[Drawing]:  # noqa: ARG001 — as every kind of chart
    """Yield a chart for each problem whose sequence was measured in both modes."""
    measured = summary[
        (summary["status"] == "ok") & (summary["workload"] == "sequence") & summary["mode"].isin(list(MODES))
    ]
    for (problem, device), rows in measured.groupby(["problem", "device"], sort=False):
        if rows["mode"].nunique() == len(MODES):
            yield _drawing(str(problem), str(device), rows)


def _drawing(problem: str, device: str, rows: pd.DataFrame) -> Drawing:
    order = marks.in_rows(rows, "seconds")
    data = marks.words(rows, "implementation", "mode").assign(seconds=rows["seconds"].astype(float))
    data = pd.concat([data, marks.finite(rows, "seconds_low", "seconds_high")], axis=1)
    data["said"] = marks.said(rows, lambda row: f"{row.implementation}, {row.mode}: {marks.time_of(row)}")
    ends = style.limits(rows["seconds"], rows["seconds_low"], rows["seconds_high"])

    def chart(width: int) -> Any:
        wide = marks.beside(order, min(width, 760))
        x = marks.log_axis("time of one call, 95 % interval", ends, time=True, most=max(3, wide // 60))
        colors, shapes = zip(*MODES.values(), strict=True)
        color = alt.Color("mode:N", scale=alt.Scale(domain=list(MODES), range=list(colors)))
        shape = alt.Shape("mode:N", scale=alt.Scale(domain=list(MODES), range=list(shapes)))
        y = marks.rows_of(order)
        base = alt.Chart(data)
        between = base.mark_line(color=SOFT, strokeWidth=1, opacity=0.6).encode(
            x=alt.X("seconds:Q", **x), y=y, detail="implementation:N"
        )
        interval = (
            base.transform_filter("isValid(datum.low)")
            .mark_rule()
            .encode(x=alt.X("low:Q", **x), x2="high:Q", y=y, color=color)
        )
        point = base.mark_point().encode(x=alt.X("seconds:Q", **x), y=y, color=color, shape=shape, description="said:N")
        return alt.layer(between, interval, point).properties(width=wide, height=marks.ROW * len(order))

    title = f"Forward and training step: {marks.heading(problem, device)}"
    text = (
        f"Dot plot for {problem}: the times of forward and train_step of each implementation side by side, with 95 %"
        " intervals, on a logarithmic axis."
    )
    name = ("directions", problem) if device == "cpu" else ("directions", problem, device)
    return Drawing(file_name(*name), plain(title, 90), text, problem, None, list(data["said"]), chart)
