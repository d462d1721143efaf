"""Dot plots of ratios: a line for each shape, on it a dot for the best of each framework; or a line for each option."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import isfinite, log
from typing import Any

import altair as alt
import pandas as pd

from benchmarks.words import interval
from impls.core.text import one_line
from reports.charts import style
from reports.charts.drawing import WIDTH, Drawing, file_name, labels, words
from reports.packages import packages_of
from reports.report import PURPOSES
from reports.today import OLDER
from reports.verdict import BASELINE, FASTER, SLOWER, UNCLEAR

MOST = 12
"""The most shapes that are drawn."""
FASTEST, SLOWEST = 0.25, 8.0
"""The ratios at the ends of the axis, at the least; what is slower than the last is only in the table."""
ROW, NAMES, LETTER = 46, 92, 6.0
"""The height of a line, the room for the names of shapes, and the width of a letter, in pixels."""
LOOKS = {FASTER: style.BLUE, SLOWER: style.VERMILION, UNCLEAR: style.SOFT, OLDER: style.SOFT}


def best_of_frameworks(rows: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Return the row of least ratio of each framework, without the baseline.

    `by`: columns, such as the track, of each of whose values it is the best.
    """
    others = rows[rows["ratio"].notna() & (rows["verdict"] != BASELINE)].sort_values("ratio")
    return others.assign(framework=packages_of(others).str[0]).drop_duplicates(["framework", *by])


def draw(
    label: str, mode: str, device: str, timed: Sequence[pd.DataFrame], baseline: str
) -> Drawing | None:
    """Return the chart of one purpose on one machine, of the rows with a time of each shape; None without a ratio."""
    best = [best_of_frameworks(rows) for rows in timed[:MOST]]
    rows = pd.concat(best) if best else pd.DataFrame()
    if rows.empty:
        return None
    rows["verdict"] = rows["verdict"].where(~rows["older"], OLDER)
    drawn = rows[rows["ratio"] <= SLOWEST]
    purpose = PURPOSES[mode]
    where = "" if device == "cpu" else f" on {device}"
    text = (
        f"Dot plot, a line for each shape: the time of the best implementation of each framework over {baseline}'s"
        f" time, {purpose.lower()}{where} on {label}, on a logarithmic axis."
    )
    slower = len(rows) - len(drawn)
    if slower:
        text += f" {slower} slower than {SLOWEST:g} × are only in the table."
    return dots(
        drawn,
        lines=[one_line(problem) for problem in rows["problem"].unique()],
        sentences=labels(drawn, partial(_sentence, baseline)),
        axis_title=f"time, × {one_line(baseline, 30)}",
        name=file_name("shapes", mode, device, label),
        title=f"{purpose}{where}, {label}",
        alt_text=text,
    )


def _sentence(baseline: str, row: Any) -> str:
    ratio = interval(row.ratio, row.ratio_low, row.ratio_high)
    return f"{row.implementation}, {row.problem}: {ratio} × {baseline}, {row.verdict}"


def dots(
    rows: pd.DataFrame,
    lines: Sequence[str],
    sentences: Sequence[str],
    axis_title: str,
    name: str,
    title: str,
    alt_text: str,
    names: int = NAMES,
) -> Drawing:
    """Return a dot plot of ratios, with their intervals.

    Args:
        rows: with implementation, problem (the name of its line), verdict, ratio, ratio_low and ratio_high.
        lines: the names of the lines, from above.
        sentences: what the dot of each row says.
        axis_title, name, title, alt_text: of the axis, and the drawing's.
        names: the room for the names of lines, in pixels.
    """
    finite = rows["ratio_high"].map(isfinite)  # an interval of one replicate is not
    data = words(rows, "implementation", "problem", "verdict").assign(
        ratio=rows["ratio"].astype(float),
        low=rows["ratio_low"].where(finite),
        high=rows["ratio_high"].where(finite),
        sentence=sentences,
    )
    left = min(FASTEST, float(data["ratio"].min()) / 1.3)
    right = max(SLOWEST, float(data["ratio"].max())) * 1.1
    width = WIDTH - names - 16
    data["label"] = data["implementation"].map(lambda name: one_line(name, 24))
    data["side"] = _sides(data, width / log(right / left))
    ticks = [2.0**k for k in range(-9, 13)]
    x_axis = {
        "scale": alt.Scale(type="log", domain=[left, right], nice=False, clamp=True),
        "axis": alt.Axis(
            values=[tick for tick in ticks if left <= tick <= right],
            title=axis_title,
            grid=True,
            format="~g",
        ),
    }
    chart = partial(_chart, data, x_axis, lines, width)
    return Drawing(name, title, alt_text, sentences, chart)


def _chart(data: pd.DataFrame, x_axis: dict[str, Any], lines: Sequence[str], width: int) -> Any:
    cut = "indexof(datum.label, '-i')"
    halves = f"[slice(datum.label, 0, {cut}), slice(datum.label, {cut} + 1)]"
    in_two_lines = alt.Axis(labelExpr=f"{cut} > 0 ? {halves} : datum.label")
    y = alt.Y("problem:N", scale=alt.Scale(domain=lines), title=None, axis=in_two_lines)
    looks = alt.Scale(domain=[*LOOKS], range=[*LOOKS.values()])
    look = alt.Color("verdict:N", scale=looks, legend=None)
    hollow = alt.condition(f"datum.verdict == '{UNCLEAR}'", alt.value(style.PAPER), look)
    x = alt.X("ratio:Q", **x_axis)
    base = alt.Chart(data)
    intervals = base.transform_filter("isValid(datum.low)").mark_rule()
    points = base.mark_point(filled=False, strokeWidth=1.8)
    layers = [
        alt.Chart(pd.DataFrame({"at": [1]}))
        .mark_rule(color=style.SOFT, strokeWidth=1)
        .encode(x="at:Q"),
        intervals.encode(x=alt.X("low:Q", **x_axis), x2="high:Q", y=y, color=look),
        points.encode(x=x, y=y, color=look, fill=hollow, description="sentence:N"),
    ]
    for side, dy in (("above", -12), ("below", 14)):
        on_side = base.transform_filter(f"datum.side == '{side}'")
        names = on_side.mark_text(dy=dy, fontSize=style.SIZE - 1, color=style.INK)
        layers.append(names.encode(x=x, y=y, text="label:N"))
    return alt.layer(*layers).properties(width=width, height=ROW * len(lines))


def _sides(data: pd.DataFrame, scale: float) -> list[str]:
    """Return for each point the side of it on which there is room for its name; the fastest come first.

    `scale` has the pixels of a factor of e.
    """
    ends: dict[tuple[str, str], float] = {}
    sides = []
    row: Any
    for row in data.itertuples(index=False):
        half = len(row.label) * LETTER / 2 + 3
        at = scale * log(row.ratio)
        side = "none"
        for free in ("below", "above"):
            if ends.get((row.problem, free), -1e9) <= at - half:
                side = free
        ends[row.problem, side] = at + half
        sides.append(side)
    return sides
