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
from reports.charts.drawing import WIDTH, Drawing, file_name, said, words
from reports.code_age import OLDER
from reports.report import PURPOSES
from reports.verdict import BASELINE, FASTER, SLOWER, UNCLEAR

MOST = 12
"""The most shapes that are drawn."""
FASTEST, SLOWEST = 0.25, 8.0
"""The ratios at the ends of the axis, at the least; what is slower than the last is only in the table."""
ROW, NAMES, LETTER = 46, 92, 6.0
"""The height of a line, the room for the names of shapes, and the width of a letter, in pixels."""
LOOKS = {FASTER: style.BLUE, SLOWER: style.VERMILION, UNCLEAR: style.SOFT, OLDER: style.SOFT}


def best_of_frameworks(rows: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Return the row of least ratio of each framework, by the first word of its versions, without the baseline.

    `by`: columns, such as the track, of each of whose values it is the best.
    """
    others = rows[rows["ratio"].notna() & (rows["verdict"] != BASELINE)]
    framework = others["versions"].astype(str).str.split(" ").str[0]
    return others.loc[others.groupby([framework, *by])["ratio"].idxmin()].sort_values("ratio")


def draw(
    label: str, mode: str, device: str, timed: Sequence[pd.DataFrame], baseline: str
) -> Drawing | None:
    """Return the chart of one purpose on one machine, of the rows with a time of each shape; None without a ratio."""
    found = [rows for rows in map(best_of_frameworks, timed[:MOST]) if len(rows)]
    if not found:
        return None
    every = pd.concat(found)
    every["verdict"] = every["verdict"].where(~every["older"], OLDER)
    where = "" if device == "cpu" else f" on {device}"
    slower = int((every["ratio"] > SLOWEST).sum())
    more = f" {slower} slower than {SLOWEST:g} × are only in the table." if slower else ""
    text = (
        f"Dot plot, a line for each shape: the time of the best implementation of each framework over {baseline}'s"
        f" time, {PURPOSES[mode].lower()}{where} on {label}, on a logarithmic axis.{more}"
    )
    title = f"{PURPOSES[mode]}{where}, {label}"
    drawn = every[every["ratio"] <= SLOWEST]
    problems = [one_line(str(rows["problem"].iloc[0])) for rows in found]
    sentences = said(drawn, partial(_said, baseline))
    axis = f"time, × {one_line(baseline, 30)}"
    return dots(
        drawn, problems, sentences, axis, file_name("shapes", mode, device, label), title, text
    )


def dots(
    drawn: pd.DataFrame,
    lines: Sequence[str],
    sentences: Sequence[str],
    axis_title: str,
    name: str,
    title: str,
    text: str,
    names: int = NAMES,
) -> Drawing:
    """Return a dot plot of ratios, with their intervals.

    Args:
        drawn: the rows, with implementation, problem (the name of its line), verdict, ratio, ratio_low and ratio_high.
        lines: the names of the lines, from above.
        sentences: what the dot of each row says.
        axis_title, name, title, text: of the axis, and the drawing's.
        names: the room for the names of lines, in pixels.
    """
    data = words(drawn, "implementation", "problem", "verdict").assign(
        ratio=drawn["ratio"].astype(float)
    )
    known = drawn["ratio_high"].map(isfinite)  # an interval of one replicate is not
    data = data.assign(low=drawn["ratio_low"].where(known), high=drawn["ratio_high"].where(known))
    data["said"] = list(sentences)
    ends = (
        min(FASTEST, float(data["ratio"].min()) / 1.3),
        max(SLOWEST, float(data["ratio"].max())) * 1.1,
    )
    width = WIDTH - names - 16
    data["label"], data["side"] = (
        zip(*_placed(data, width / log(ends[1] / ends[0])), strict=True) if len(data) else ((), ())
    )

    def chart() -> Any:
        ticks = [2.0**k for k in range(-9, 13) if ends[0] <= 2.0**k <= ends[1]]
        axis: dict[str, Any] = {
            "scale": alt.Scale(type="log", domain=list(ends), nice=False, clamp=True),
            "axis": alt.Axis(values=ticks, title=axis_title, grid=True, format="~g"),
        }
        cut = "indexof(datum.label, '-i')"
        halves = f"[slice(datum.label, 0, {cut}), slice(datum.label, {cut} + 1)]"
        one_or_two = f"{cut} > 0 ? {halves} : datum.label"
        y = alt.Y(
            "problem:N",
            scale=alt.Scale(domain=list(lines)),
            title=None,
            axis=alt.Axis(labelExpr=one_or_two),
        )
        look = alt.Color(
            "verdict:N",
            scale=alt.Scale(domain=list(LOOKS), range=list(LOOKS.values())),
            legend=None,
        )
        base = alt.Chart(data)
        with_interval = base.transform_filter("isValid(datum.low)")
        interval = with_interval.mark_rule().encode(
            x=alt.X("low:Q", **axis), x2="high:Q", y=y, color=look
        )
        point = base.mark_point(filled=False, strokeWidth=1.8).encode(
            x=alt.X("ratio:Q", **axis),
            y=y,
            color=look,
            fill=alt.condition(f"datum.verdict == '{UNCLEAR}'", alt.value(style.PAPER), look),
            description="said:N",
        )
        texts = [
            base.transform_filter(f"datum.side == '{side}'")
            .mark_text(dy=dy, fontSize=style.SIZE - 1, color=style.INK)
            .encode(x=alt.X("ratio:Q", **axis), y=y, text="label:N")
            for side, dy in (("above", -12), ("below", 14))
        ]
        at_1 = (
            alt.Chart(pd.DataFrame({"at": [1]}))
            .mark_rule(color=style.SOFT, strokeWidth=1)
            .encode(x="at:Q")
        )
        return alt.layer(at_1, interval, point, *texts).properties(
            width=width, height=ROW * len(lines)
        )

    return Drawing(name, title, text, list(data["said"]), chart)


def _placed(data: pd.DataFrame, scale: float) -> list[tuple[str, str]]:
    """Return for each point its name and on which side of it there is room for that; the fastest come first."""
    ends: dict[tuple[str, str], float] = {}
    found = []
    row: Any
    for row in data.itertuples(index=False):
        name = one_line(row.implementation, 24)
        half = len(name) * LETTER / 2 + 3
        at = scale * log(row.ratio)
        free = [
            side for side in ("above", "below") if ends.get((row.problem, side), -1e9) <= at - half
        ]
        side = free[0] if free else "none"
        ends[row.problem, side] = at + half
        found.append((name, side))
    return found


def _said(baseline: str, row: Any) -> str:
    ratio = interval(row.ratio, row.ratio_low, row.ratio_high)
    return f"{row.implementation}, {row.problem}: {ratio} × {baseline}, {row.verdict}"
