"""The dot plot: a row for each implementation, and in it a point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def line_at(value: float, **look: Any) -> Any:
    """Return a line across a panel at a value of x; its data are its own, so that it is drawn once."""
    return alt.Chart(pd.DataFrame({"at": [value]})).mark_rule(color=style.SOFT, strokeWidth=1, **look).encode(x="at:Q")


def dots(
    data: pd.DataFrame,
    x: str,
    axis: Callable[[int], dict[str, Any]],
    by: str,
    line: Any,
    problems: Sequence[str],
) -> Callable[[], Any]:
    """Return the function that makes a chart: a panel for each problem, a row for each implementation.

    `data` has a row for each point, with implementation, track, problem and what it says, the number x, and one by
    which implementations are ordered. `axis` gives the options of an axis of that many pixels; `line` lies below.
    """
    order = tracks.in_order(data, by)
    width = WIDTH - min(NAMES, int(LETTER * max(map(len, order), default=0))) - 30
    names = alt.Axis(labelExpr=SHORT, labelLimit=NAMES)
    y = alt.Y("implementation:N", scale=alt.Scale(domain=order), title=None, axis=names)
    known = sorted(set(data["track"]), key=lambda track: (tracks.rank(track), track))
    looks = [style.TRACKS.get(track, style.TRACKS[tracks.DEFAULT]) for track in known]
    color, mark = (alt.Scale(domain=known, range=[look[k] for look in looks]) for k in (0, 1))

    def chart() -> Any:
        points = alt.Chart().mark_point()
        points = points.encode(
            x=alt.X(f"{x}:Q", **axis(width)),
            y=y,
            color=alt.Color("track:N", scale=color),
            shape=alt.Shape("track:N", scale=mark),
            description="said:N",
        )
        panel = alt.layer(line, points).properties(width=width, height=ROW * len(order))
        return panel.facet(facet=alt.Facet("problem:N", sort=problems, title=None), columns=1, data=data)

    return chart
