"""The ratio of every implementation to the baseline, with its interval: a panel for each problem."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import pandas as pd

from reports import formatting
from reports.charts import marks, style
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import plain
from reports.frames import Run
from reports.headline import subject
from reports.recommendation import PURPOSES


def draw(run: Run, summary: pd.DataFrame) -> Iterator[Drawing]:
    """Yield a chart for each mode and device in which an implementation was compared with the baseline."""
    shown = marks.asked(summary, subject(summary), list(PURPOSES))
    shown = shown[shown["ratio"].notna()]
    for (workload, mode, device), rows in shown.groupby(["workload", "mode", "device"], sort=False):
        if set(rows["implementation"]) <= {run.baseline}:
            continue
        yield _drawing(run.baseline, str(workload), str(mode), str(device), rows)


def _drawing(baseline: str, workload: str, mode: str, device: str, rows: pd.DataFrame) -> Drawing:
    rows, problems, more = marks.first(rows)
    order = marks.in_rows(rows, "ratio")
    data = marks.words(rows, "implementation", "track", "problem").assign(ratio=rows["ratio"].astype(float))
    data = pd.concat([data, marks.finite(rows, "ratio_low", "ratio_high")], axis=1)
    data["said"] = marks.said(
        rows,
        lambda row: (
            f"{row.implementation}, {row.problem}: {formatting.interval(row.ratio, row.ratio_low, row.ratio_high)}"
            f" × {baseline}, {row.verdict}; {row.seconds_n:.0f} replicates; {row.versions}"
        ),
    )
    low, high = style.limits(rows["ratio"], rows["ratio_low"], rows["ratio_high"])
    ends = min(low, 0.8), max(high, 1.25)

    def chart(width: int) -> Any:
        columns, each = marks.panels(problems, marks.beside(order, width))
        x = marks.log_axis(f"time, × {plain(baseline)}", ends, most=max(3, each // 32))
        color, shape = marks.track_color(list(data["track"]))
        y = marks.rows_of(order)
        interval = alt.Chart().mark_rule().encode(x=alt.X("low:Q", **x), x2="high:Q", y=y, color=color)
        point = (
            alt.Chart()
            .mark_point()
            .encode(x=alt.X("ratio:Q", **x), y=y, color=color, shape=shape, description="said:N")
        )
        panel = alt.layer(marks.line_at(1), interval.transform_filter("isValid(datum.low)"), point).properties(
            width=each, height=marks.ROW * len(order)
        )
        return panel.facet(facet=alt.Facet("problem:N", sort=problems, title=None), columns=columns, data=data)

    what = f"{workload}, {mode}" + ("" if device == "cpu" else f", {device}")
    title = f"Time over {plain(baseline)}'s time: {what}{more}"
    text = (
        f"Dot plot, a panel for each problem: the time of each implementation over {baseline}'s time in {what}, with"
        " 95 % intervals, on a logarithmic axis."
    )
    return Drawing(file_name("ratio", workload, mode, device), title, text, None, mode, list(data["said"]), chart)
