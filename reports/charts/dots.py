"""The interval dot plot: a row for each name, and in it a point with its interval for each number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from reports import tracks
from reports.charts import style
from reports.charts.drawing import WIDTH

ROW = 20
"""The height of a row, in pixels."""
NAMES, LETTER = 170, 6.8
"""The most room for the names of rows, and what a letter takes, in pixels."""
SHORT = "length(datum.label) > 30 ? slice(datum.label, 0, 29) + '…' : datum.label"
"""The label of a row: its name, cut where it is too long."""


def looks(field: str, of: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Return the channels of a field that decides color and mark; `of` has both for each of its values."""
    colors, shapes = ([look[k] for look in of.values()] for k in (0, 1))
    return {
        "color": alt.Color(f"{field}:N", scale=alt.Scale(domain=list(of), range=colors)),
        "shape": alt.Shape(f"{field}:N", scale=alt.Scale(domain=list(of), range=shapes)),
    }


def of_tracks(data: pd.DataFrame) -> dict[str, Any]:
    """Return the channels of the tracks of points; an unknown track looks like the default."""
    known = sorted(set(data["track"]), key=lambda track: (tracks.rank(track), track))
    return looks("track", {track: style.TRACKS.get(track, style.TRACKS[tracks.DEFAULT]) for track in known})


def line_at(value: float, **look: Any) -> Any:
    """Return a line across a panel at a value of x; its data are its own, so that it is drawn once."""
    return alt.Chart(pd.DataFrame({"at": [value]})).mark_rule(color=style.SOFT, strokeWidth=1, **look).encode(x="at:Q")


def layers(base: Any, x: str, axis: dict[str, Any], below: Any, **channels: Any) -> Any:
    """Return the layers of a panel: what lies below, intervals from `low` to `high`, and points at a column `x`.

    `axis` has the options of the axis; the other channels are those of the points, such as y, color and shape.
    """
    without = {name: channel for name, channel in channels.items() if name != "shape"}
    known = base.transform_filter("isValid(datum.low)").mark_rule()
    intervals = known.encode(x=alt.X("low:Q", **axis), x2="high:Q", **without)
    point = base.mark_point().encode(x=alt.X(f"{x}:Q", **axis), description="said:N", **channels)
    return alt.layer(below, intervals, point)


def dots(
    data: pd.DataFrame,
    x: str,
    axis: Callable[[int], dict[str, Any]],
    by: str,
    line: Any,
    problems: Sequence[str],
) -> Callable[[], Any]:
    """Return the function that makes a chart: a panel for each problem, a row for each implementation.

    Args:
        data: a row for each point, as marks.points has them, with its track.
        x: the column of the points.
        axis: gives the options of the axis for a panel of that many pixels.
        by: the column by which rows are ordered.
        line: the line below the points.
        problems: those of the panels.
    """
    order = tracks.in_order(data, by)
    scale = alt.Scale(domain=order)
    y = alt.Y("implementation:N", scale=scale, title=None, axis=alt.Axis(labelExpr=SHORT, labelLimit=NAMES))
    beside = min(NAMES, int(LETTER * max(map(len, order), default=0))) + 30

    def chart() -> Any:
        width = WIDTH - beside
        panel = layers(alt.Chart(), x, axis(width), line, y=y, **of_tracks(data))
        panel = panel.properties(width=width, height=ROW * len(order))
        return panel.facet(facet=alt.Facet("problem:N", sort=problems, title=None), columns=1, data=data)

    return chart
