"""What a change buys: the ratio of each implementation with a change to the one without, with its interval."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import pandas as pd

from reports import formatting
from reports.answers.answer import asked_of
from reports.answers.changes import compared
from reports.charts import marks, style
from reports.charts.drawing import Drawing, file_name
from reports.frames import Run


def draw(run: Run, summary: pd.DataFrame) -> Iterator[Drawing]:
    """Yield a chart for each mode in which implementations with and without a change were measured."""
    asked = asked_of(summary)
    found = compared(run, asked[asked["status"] == "ok"])
    if found.empty:
        return
    for mode, rows in found.groupby("mode", sort=False, observed=True):
        yield _drawing(str(mode), rows)


def _said(row: Any) -> str:
    ratio = formatting.interval(row.ratio, row.ratio_low, row.ratio_high)
    return f"{row.implementation} over {row.without}, {row.where}: {ratio}, {row.verdict}"


def _drawing(mode: str, rows: pd.DataFrame) -> Drawing:
    where = list(dict.fromkeys(marks.words(rows.sort_values("position"), "where")["where"]))
    named = marks.words(rows, "without", "implementation", "where")
    data = pd.DataFrame(
        {
            "change": named["without"] + " → " + named["implementation"],
            "where": named["where"],
            "ratio": rows["ratio"].astype(float),
            **marks.finite(rows, "ratio_low", "ratio_high"),
            "said": marks.said(rows, _said),
        }
    )
    order = list(dict.fromkeys(data["change"]))
    low, high = style.limits(rows["ratio"], rows["ratio_low"], rows["ratio_high"])
    ends = min(low, 0.8), max(high, 1.25)

    def chart(width: int) -> Any:
        above = width < 600  # then the names stand above their rows
        wide = width - 20 if above else min(width, 860) - 300
        x = marks.log_axis("time with the change over time without it", ends, most=max(3, wide // 50))
        name = alt.Axis(labelLimit=310)
        if above:
            name = alt.Axis(labelAlign="left", labelOffset=-5 * len(where) - 9, labelPadding=-2, labelLimit=310)
        y = alt.Y("change:N", scale=alt.Scale(domain=order), title=None, axis=name)
        room = 0.9 if above else 0.3
        offset = alt.YOffset("where:N", scale=alt.Scale(domain=where, paddingOuter=room))
        color = alt.Color("where:N", scale=marks.several(where), legend=alt.Legend(columns=1 if above else 4))
        base = alt.Chart(data)
        where_it_is = {"y": y, "yOffset": offset, "color": color}
        known = base.transform_filter("isValid(datum.low)")
        interval = known.mark_rule().encode(x=alt.X("low:Q", **x), x2="high:Q", **where_it_is)
        point = base.mark_point().encode(x=alt.X("ratio:Q", **x), description="said:N", **where_it_is)
        height = (10 * len(where) + (34 if above else 12)) * len(order)
        return alt.layer(marks.line_at(1), interval, point).properties(width=wide, height=height)

    title = f"What each change buys: {mode}"
    text = (
        f"Dot plot: the time of {mode} with a change over the time without it, for each pair of implementations and"
        " each problem, with 95 % intervals, on a logarithmic axis. Below 1, the change makes it faster."
    )
    return Drawing(file_name("gains", mode), title, text, None, mode, list(data["said"]), chart)
