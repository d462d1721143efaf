"""The interval dot plot: a row for each name, and in it a point with its interval for each number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import altair as alt
import pandas as pd

from reports import tracks
from reports.charts import marks, style

ROW = 20
"""The height of a row, in pixels."""
NAMES, LETTER = 170, 6.8
"""The most room for the names of rows, and what a letter takes, in pixels."""
SHORT = "length(datum.label) > 30 ? slice(datum.label, 0, 29) + '…' : datum.label"
"""The label of a row: its name, cut where it is too long."""
Layers = Callable[[Any, int], Any]
"""Gets a chart without marks and the width of a panel in pixels, and returns the layers of the panel."""


def in_rows(rows: pd.DataFrame, by: str) -> list[str]:
    """Return the names of implementations in the order of their rows: by track, then by the mean log of a column."""
    names = marks.words(rows, "implementation")["implementation"]
    logs = rows[by].map(math.log).groupby(names).mean()
    track = rows.groupby(names)["track"].first().astype(str)
    return sorted(logs.index, key=lambda name: (tracks.rank(track[name]), logs[name]))


def rows_of(order: Sequence[str], field: str = "implementation") -> alt.Y:
    """Return the vertical axis of rows in an order."""
    scale = alt.Scale(domain=list(order))
    return alt.Y(f"{field}:N", scale=scale, title=None, axis=alt.Axis(labelExpr=SHORT, labelLimit=NAMES))


def looks(field: str, of: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """Return the channels of a field that decides color and mark; `of` has both for each of its values."""
    colors, shapes = ([look[k] for look in of.values()] for k in (0, 1))
    return {
        "color": alt.Color(f"{field}:N", scale=alt.Scale(domain=list(of), range=colors)),
        "shape": alt.Shape(f"{field}:N", scale=alt.Scale(domain=list(of), range=shapes)),
    }


def of_tracks(present: Sequence[str]) -> dict[str, Any]:
    """Return the channels of tracks, of those that are present; an unknown track looks like the default."""
    known = sorted(set(present), key=lambda track: (tracks.rank(track), track))
    return looks("track", {track: style.TRACKS.get(track, style.TRACKS[tracks.DEFAULT]) for track in known})


def dots(base: Any, x: str, axis: dict[str, Any], *below: Any, interval: bool = True, **channels: Any) -> Any:
    """Return the layers of a panel: points at a column of the data, with intervals from `low` to `high`.

    Args:
        base: a chart without marks.
        x: the column.
        axis: the options of its axis, as marks.log_axis has them.
        below: layers that lie below.
        interval: whether there are intervals.
        channels: those of the points, such as y, color and shape. Intervals have no shape.
    """
    layers = list(below)
    if interval:
        without = {name: channel for name, channel in channels.items() if name != "shape"}
        known = base.transform_filter("isValid(datum.low)").mark_rule()
        layers.append(known.encode(x=alt.X("low:Q", **axis), x2="high:Q", **without))
    point = base.mark_point().encode(x=alt.X(f"{x}:Q", **axis), description="said:N", **channels)
    return alt.layer(*layers, point)


def line_at(value: float, **look: Any) -> Any:
    """Return a line across a panel at a value of x; its data are its own, so that it is drawn once."""
    return alt.Chart(pd.DataFrame({"at": [value]})).mark_rule(color=style.SOFT, strokeWidth=1, **look).encode(x="at:Q")


def beside(names: Sequence[str], width: int) -> int:
    """Return the room beside the names of rows, in pixels."""
    return width - min(NAMES, int(LETTER * max(map(len, names), default=0))) - 30


def panel(data: pd.DataFrame, order: Sequence[str], layers: Layers, widest: int = 760) -> Callable[[int], Any]:
    """Return the function that makes a chart of one panel with rows in an order."""

    def chart(width: int) -> Any:
        wide = beside(order, min(width, widest))
        return layers(alt.Chart(data), wide).properties(width=wide, height=ROW * len(order))

    return chart


def panels(data: pd.DataFrame, problems: Sequence[str], order: Sequence[str], layers: Layers) -> Callable[[int], Any]:
    """Return the function that makes a chart of a panel for each problem, as many side by side as fit."""

    def chart(width: int) -> Any:
        room = beside(order, width)
        columns = max(1, min(len(problems), 4, room // 150))
        each = room // columns - 20
        one = layers(alt.Chart(), each).properties(width=each, height=ROW * len(order))
        return one.facet(facet=alt.Facet("problem:N", sort=problems, title=None), columns=columns, data=data)

    return chart
