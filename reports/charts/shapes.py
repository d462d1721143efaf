"""Dot plots of ratios: a line for each shape, on it a dot for the best of each framework; or a line for each option."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from math import inf, log
from typing import Any

import altair as alt
import pandas as pd

from impls.core.text import one_line
from reports.charts import style
from reports.charts.drawing import WIDTH, Drawing, file_name, labels, words
from reports.code_age import OLDER
from reports.headline import Recommendation
from reports.packages import packages_of
from reports.tables import ratio
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


def draw(machine: str, advised: Sequence[Recommendation]) -> Drawing | None:
    """Return the chart of what is recommended for one purpose on one machine; None where nothing has a ratio."""
    rows = pd.concat([best_of_frameworks(each.timed) for each in advised[:MOST]])
    if rows.empty:
        return None
    rows["verdict"] = rows["verdict"].where(~rows["older"], OLDER)
    drawn = rows[rows["ratio"] <= SLOWEST]
    first = advised[0]
    text = (
        f"Dot plot, a line for each shape: the time of the best implementation of each framework over"
        f" {first.baseline}'s time, {first.purpose.lower()} on {machine}, on a logarithmic axis."
    )
    slower = len(rows) - len(drawn)
    if slower:
        text += f" {slower} slower than {SLOWEST:g} × are only in the table."
    sentences = labels(
        drawn,
        lambda row: (
            f"{row.implementation}, {row.problem}: {ratio()(row)} × {first.baseline}, {row.verdict}"
        ),
    )
    lines = [one_line(problem) for problem in rows["problem"].unique()]
    axis_title = f"time, × {one_line(first.baseline, 30)}"
    return Drawing(
        file_name("shapes", first.mode, first.device, machine),
        f"{first.purpose}, {machine}",
        text,
        sentences,
        partial(dots, drawn, lines, sentences, axis_title),
    )


def dots(
    rows: pd.DataFrame,
    lines: Sequence[str],
    sentences: Sequence[str],
    axis_title: str,
    names: int = NAMES,
) -> Any:
    """Return a dot plot of ratios, with their intervals, as a chart of Altair.

    Args:
        rows: with implementation, problem (the name of its line), verdict, ratio, ratio_low and ratio_high.
        lines: the names of the lines, from above.
        sentences: what the dot of each row says.
        axis_title: of the axis of ratios.
        names: the room for the names of lines, in pixels.
    """
    left = min(FASTEST, rows["ratio"].min() / 1.3)
    right = max(SLOWEST, rows["ratio"].max()) * 1.1
    width = WIDTH - names - 16
    data = words(rows, "implementation", "problem", "verdict")
    data = data.join(rows[["ratio", "ratio_low", "ratio_high"]])
    data["sentence"] = sentences
    data["label"] = [one_line(name, 24) for name in rows["implementation"]]
    data["side"] = _sides(data, width / log(right / left))
    ticks = [2.0**k for k in range(-9, 13) if left <= 2.0**k <= right]
    scale = alt.Scale(type="log", domain=[left, right], nice=False, clamp=True)
    axis = alt.Axis(values=ticks, title=axis_title, grid=True, format="~g")
    x = alt.X("ratio:Q", scale=scale, axis=axis)
    two_lines = alt.Axis(labelExpr="split(replace(datum.label, '-i', '|i'), '|')")
    y = alt.Y("problem:N", scale=alt.Scale(domain=lines), title=None, axis=two_lines)
    looks = alt.Scale(domain=[*LOOKS], range=[*LOOKS.values()])
    look = alt.Color("verdict:N", scale=looks, legend=None)
    hollow = alt.condition(f"datum.verdict == '{UNCLEAR}'", alt.value(style.PAPER), look)
    at_1 = alt.Chart().mark_rule(color=style.SOFT, strokeWidth=1)
    base = alt.Chart(data).encode(x=x, y=y)
    # the interval of one replicate is infinite
    intervals = base.transform_filter("isValid(datum.ratio_high)").mark_rule()
    points = base.mark_point(filled=False, strokeWidth=1.8)
    layers = [
        at_1.encode(x=alt.datum(1)),
        intervals.encode(x="ratio_low:Q", x2="ratio_high:Q", color=look),
        points.encode(color=look, fill=hollow, description="sentence:N"),
    ]
    for side, dy in (("above", -12), ("below", 14)):
        on_side = base.transform_filter(f"datum.side == '{side}'").encode(text="label:N")
        layers.append(on_side.mark_text(dy=dy, fontSize=style.SIZE - 1, color=style.INK))
    return alt.layer(*layers).properties(width=width, height=ROW * len(lines))


def _sides(data: pd.DataFrame, scale: float) -> list[str]:
    """Return for each point the side of it on which there is room for its name; the fastest come first.

    `scale` has the pixels of a factor of e.
    """
    ends: dict[tuple[str, str], float] = defaultdict(lambda: -inf)
    sides = []
    row: Any
    for row in data.itertuples(index=False):
        half = len(row.label) * LETTER / 2 + 3
        at = scale * log(row.ratio)
        side = "none"
        for free in ("below", "above"):
            if ends[row.problem, free] <= at - half:
                side = free
        ends[row.problem, side] = at + half
        sides.append(side)
    return sides
