"""The marks that several charts share: points with their intervals in rows, one row for each implementation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import altair as alt
import pandas as pd

from impls.core.text import one_line
from reports import formatting, tracks
from reports.charts import style
from reports.charts.style import SOFT, plain

ROW = 20
"""The height of a row, in pixels."""
NAMES, LETTER = 170, 6.8
"""The most room for the names of rows, and what a letter takes, in pixels."""
TIME = (
    "datum.value >= 0.9999 ? format(datum.value, '~g') + ' s'"
    " : datum.value >= 0.9999e-3 ? format(datum.value * 1e3, '~g') + ' ms'"
    " : format(datum.value * 1e6, '~g') + ' µs'"
)
"""The label of a tick of a time in seconds."""


def asked(summary: pd.DataFrame, about: pd.DataFrame, modes: Sequence[str]) -> pd.DataFrame:
    """Return the rows of a summary to draw: these modes of a sequence; where there is none, what the headline is about.

    Args:
        summary: of a run.
        about: the rows of it that the headline is about.
        modes: such as `train_step`.
    """
    sound = summary[summary["status"] == "ok"]
    wanted = sound[(sound["workload"] == "sequence") & sound["mode"].isin(modes)]
    return wanted if len(wanted) else sound[sound.index.isin(about.index)]


def words(rows: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return columns of names as a chart shows them: each name on one line."""
    return pd.DataFrame({name: rows[name].astype(str).map(one_line) for name in columns})


def said(rows: pd.DataFrame, sentence: Callable[[Any], str]) -> list[str]:
    """Return what the mark of each row says, on one line."""
    return [one_line(sentence(row)) for row in rows.itertuples(index=False)]


def time_of(row: Any) -> str:
    """Return the time of a row of a summary, with its interval, the replicates and the versions."""
    time = formatting.time_with_interval(row.seconds, row.seconds_low, row.seconds_high)
    return f"{time}; {row.seconds_n:.0f} replicates; {row.versions}"


def in_rows(rows: pd.DataFrame, by: str) -> list[str]:
    """Return the names of implementations in the order of their rows: by track, then by the mean log of a column."""
    names = words(rows, "implementation")["implementation"]
    logs = rows[by].map(math.log).groupby(names).mean()
    track = rows.groupby(names)["track"].first().astype(str)
    return sorted(logs.index, key=lambda name: (tracks.rank(track[name]), logs[name]))


MOST = 8
"""The most panels; with more, the chart would be longer than a page."""


def first(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str], str]:
    """Return the rows of the first MOST problems, the names of these, and words for a title on what was left out."""
    every = list(dict.fromkeys(rows["problem"].astype(str)))
    more = f" (the first {MOST} of {len(every)} problems)" if len(every) > MOST else ""
    return rows[rows["problem"].isin(every[:MOST])], [one_line(name) for name in every[:MOST]], more


def finite(rows: pd.DataFrame, low: str, high: str) -> pd.DataFrame:
    """Return the ends of the intervals of rows; missing where an interval is not finite."""
    known = (rows[low] > 0) & rows[high].map(math.isfinite)
    return pd.DataFrame({"low": rows[low].where(known), "high": rows[high].where(known)})


def log_axis(title: str, shown: tuple[float, float], time: bool = False, most: int = 8) -> dict[str, Any]:
    """Return the scale and the axis of a logarithmic axis with these ends, as options of a channel."""
    label: dict[str, Any] = {"labelExpr": TIME} if time else {"format": "~g"}
    return {
        "scale": alt.Scale(type="log", domain=list(shown), nice=False, clamp=True),
        "axis": alt.Axis(values=style.ticks(*shown, most), title=title, grid=True, **label),
    }


def line_at(value: float, **look: Any) -> Any:
    """Return a line across a panel at a value of x; its data are its own, so that it is drawn once."""
    return alt.Chart(pd.DataFrame({"at": [value]})).mark_rule(color=SOFT, strokeWidth=1, **look).encode(x="at:Q")


def rows_of(order: Sequence[str], field: str = "implementation") -> alt.Y:
    """Return the vertical axis of rows in an order."""
    scale = alt.Scale(domain=list(order))
    return alt.Y(f"{field}:N", scale=scale, title=None, axis=alt.Axis(labelExpr=SHORT, labelLimit=NAMES))


SHORT = "length(datum.label) > 30 ? slice(datum.label, 0, 29) + '…' : datum.label"
"""The label of a row: its name, cut where it is too long."""


def track_color(present: Sequence[str]) -> tuple[alt.Color, alt.Shape]:
    """Return the color and the mark of tracks, of those that are present; an unknown track looks like the default."""
    known = sorted(set(present), key=lambda track: (tracks.rank(track), track))
    looks = [style.TRACKS.get(track, style.TRACKS[tracks.DEFAULT]) for track in known]
    colors, shapes = [color for color, _ in looks], [shape for _, shape in looks]
    return (
        alt.Color("track:N", scale=alt.Scale(domain=known, range=colors)),
        alt.Shape("track:N", scale=alt.Scale(domain=known, range=shapes)),
    )


FIRST_COLORS = ("torch_lstm", "torch_cell", "torch_cpp", "jax_scan", "jax_scan_vjp")
"""The names that have the same color in every chart, in the order of the colors."""


def several(names: Sequence[str]) -> alt.Scale:
    """Return a color for each of some names that have no order."""
    kept = {name: style.SEVERAL[k] for k, name in enumerate(FIRST_COLORS) if name in names}
    rest = [color for color in style.SEVERAL if color not in kept.values()] or style.SEVERAL
    others = [name for name in names if name not in kept]
    kept |= {name: rest[k % len(rest)] for k, name in enumerate(others)}
    return alt.Scale(domain=list(names), range=[kept[name] for name in names])


def beside(names: Sequence[str], width: int) -> int:
    """Return the room beside the names of rows, in pixels."""
    return width - min(NAMES, int(LETTER * max(map(len, names), default=0))) - 30


def panels(problems: Sequence[str], room: int) -> tuple[int, int]:
    """Return how many panels stand side by side, one for each problem, and the width of one in pixels."""
    columns = max(1, min(len(problems), 4, room // 150))
    return columns, room // columns - 20


def heading(problem: str, device: object) -> str:
    """Return the words above a panel."""
    return plain(problem, 40) + ("" if str(device) == "cpu" else f", {device}")
