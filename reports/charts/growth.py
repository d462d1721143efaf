"""How the time of a step grows with a size: a panel for each of the other sizes, both axes logarithmic."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from benchmarks.words import unit_of
from reports.charts import style
from reports.charts.drawing import WIDTH, words

PANEL = 150
"""The height of a panel, in pixels."""
LIMIT = "the peak"
"""What the line of the least possible time is called."""
COLORS = (style.INK, style.BLUE, style.VERMILION, style.GREEN, style.PURPLE)
MARKS = ("circle", "square", "triangle-up", "diamond", "triangle-down")
"""Of the implementations, one after another."""


def chart(
    rows: pd.DataFrame,
    limits: pd.DataFrame,
    size: str,
    panels: Sequence[str],
    names: Sequence[str],
) -> Any:
    """Return the panels, as a chart of Altair.

    Args:
        rows: implementation, panel, size, step_seconds and sentence (what a mark says).
        limits: panel, size and step_seconds of the peak; empty where it is not known.
        size: what the size is called.
        panels: their names, from above.
        names: the implementations, at most as many as COLORS.
    """
    scale, unit = unit_of(rows["step_seconds"].median())
    rows = words(rows, "implementation", "panel", "sentence").join(rows[["size", "step_seconds"]])
    limits = limits.assign(implementation=LIMIT)
    both = pd.concat([rows, limits], ignore_index=True)
    both["time"] = both["step_seconds"] / scale
    x = alt.X("size:Q", title=size, axis=_axis(both["size"]), scale=_scale(both["size"]))
    y = alt.Y("time:Q", title=f"time of a step, {unit}", axis=_axis(), scale=_scale(both["time"]))
    domain = [*names, LIMIT]
    colors = alt.Scale(domain=domain, range=[*COLORS[: len(names)], style.SOFT])
    marks = alt.Scale(domain=domain, range=[*MARKS[: len(names)], "stroke"])
    legend = alt.Legend(orient="top", columns=3, title=None, symbolStrokeWidth=2)
    color = alt.Color("implementation:N", scale=colors, legend=legend)
    shape = alt.Shape("implementation:N", scale=marks, legend=legend)
    drawn = []
    for panel in panels:
        of_panel = both[both["panel"] == panel]
        is_limit = of_panel["implementation"] == LIMIT
        base = alt.Chart(of_panel[~is_limit]).encode(x=x, y=y, color=color)
        limit = alt.Chart(of_panel[is_limit]).encode(x=x, y=y, color=color)
        layers = [
            limit.mark_line(strokeDash=[4, 3], strokeWidth=1.5),
            base.mark_line(strokeWidth=1.5),
            base.mark_point(filled=True).encode(shape=shape, description="sentence:N"),
        ]
        layered = alt.layer(*layers).properties(width=WIDTH - 60, height=PANEL)
        drawn.append(
            layered.properties(title=alt.Title(panel, anchor="start", fontSize=style.SIZE))
        )
    return alt.vconcat(*drawn)


def _scale(values: pd.Series) -> alt.Scale:
    return alt.Scale(type="log", domain=[values.min(), values.max()], nice=False, padding=12)


def _axis(values: pd.Series | None = None) -> alt.Axis:
    """Return an axis with a grid; its numbers are the values, or powers of ten."""
    if values is None:
        return alt.Axis(grid=True, format="~g", tickCount=5)
    return alt.Axis(grid=True, format="~g", values=sorted(values.unique()))
