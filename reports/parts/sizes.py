"""Time against sequence length, batch and hidden size, where a run has problems that differ in that size alone.

And sequences per second against the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from reports.charts import marks, style
from reports.charts.drawing import NARROW, Drawing, file_name
from reports.charts.style import INK, PAPER, plain
from reports.report import SIZES, Report, largest, problems_of
from reports.verdict import UNCLEAR

SECTION, ORDER = "flips", 20
HEIGHT = 260
"""Of a panel, in pixels."""
ENOUGH = 3
"""The fewest problems of a panel."""
LETTERS = {"seq_len": "T", "batch": "B", "input_size": "I", "hidden_size": "H", "num_layers": "L"}


def make(report: Report) -> Iterator[Drawing]:
    """Yield a chart for each workload, mode and device that has a panel; a panel needs ENOUGH problems."""
    problems, shown = problems_of(report.run.records), marks.asked(report)
    for kind, sizes in ((TIME, list(SIZES)), (RATE, ["batch"])):
        for (workload, mode, device), rows in shown.groupby(["workload", "mode", "device"], sort=False):
            # one step is the same work for every T
            swept = sizes if workload != "cell" else [size for size in sizes if size != "seq_len"]
            here = problems[problems["problem"].isin(rows["problem"])]
            families = {size: largest(here, size) for size in swept}
            families = {size: family for size, family in families.items() if family[size].nunique() >= ENOUGH}
            if families:
                yield _drawing(report.baseline, kind, (str(workload), str(mode), str(device)), rows, families)


TIME = "sizes", "Time against size", "time of one call"
RATE = "rates", "Sequences per second", "sequences per second"
"""The word with which the chart's name starts, its title, and its axis."""


def _drawing(
    baseline: str,
    kind: tuple[str, str, str],
    where: tuple[str, str, str],
    measured: pd.DataFrame,
    families: dict[str, pd.DataFrame],
) -> Drawing:
    (word, title, unit), (workload, mode, device) = kind, where
    data = {size: _points(measured, family, size, kind) for size, family in families.items()}
    every = pd.concat(data.values())
    ends = style.limits(every, "value")
    names = list(np.log(every["value"]).groupby(every["implementation"]).mean().sort_values().index)

    def chart(width: int) -> Any:
        columns = 1 if width == NARROW else len(families)
        each = min(300, (width - 20 * (columns - 1)) // columns - 80)
        axis = marks.log_axis(unit, ends, HEIGHT, time=kind is TIME)
        drawn = [_panel(data[size], size, _fixed(families[size], size), names, axis, each) for size in families]
        return alt.concat(*drawn, columns=columns).resolve_scale(color="shared", shape="shared", y="shared")

    text = (
        f"Line charts on logarithmic axes: {unit} of {workload}, {mode} against"
        f" {', '.join(SIZES[size] for size in families)}, a line for each implementation. A hollow mark is"
        f" {UNCLEAR}, a cross is where a line crosses that of {baseline}."
    )
    title = f"{title}: {marks.where(device, workload, mode)}"
    return Drawing(file_name(word, *where), title, text, None, mode, list(every["said"]), chart)


def _points(measured: pd.DataFrame, family: pd.DataFrame, size: str, kind: tuple[str, str, str]) -> pd.DataFrame:
    """Return the points of a panel: size, value with low and high, ratio, whether it is clear, and words."""
    rows = measured.merge(family[["problem", size]], on="problem").sort_values(["implementation", size])
    points = marks.points(rows, "seconds", _said, "implementation").rename(columns={"seconds": "value"})
    points = points.assign(size=rows[size].astype(int), ratio=rows["ratio"], clear=rows["verdict"] != UNCLEAR)
    if kind is RATE:
        values = {"value": points["value"], "low": points["high"], "high": points["low"]}
        points = points.assign(**{name: points["size"] / seconds for name, seconds in values.items()})
    return points


def _said(row: Any) -> str:
    return f"{row.implementation}, {row.problem}, {row.verdict}: {marks.time_of(row)}"


def crossings(data: pd.DataFrame) -> pd.DataFrame:
    """Return where lines cross the baseline's between two sizes with a clear verdict: size, value, said.

    What lies between two clear sizes, such as unclear ones, is interpolated on logarithmic axes.
    """
    found = []
    for name, line in data[data["clear"] & data["ratio"].notna()].groupby("implementation", sort=False):
        logs, sizes, values = (np.log(line[column].to_numpy(float)) for column in ("ratio", "size", "value"))
        for k in np.flatnonzero(np.sign(logs[:-1]) * np.sign(logs[1:]) < 0):
            share = logs[k] / (logs[k] - logs[k + 1])
            at, value = (float(np.exp(each[k] + share * (each[k + 1] - each[k]))) for each in (sizes, values))
            ends = line["size"].tolist()[k : k + 2]
            words = "slower" if logs[k + 1] > 0 else "faster"
            said = f"{name} becomes {words} than the baseline between {ends[0]} and {ends[1]}"
            found.append((name, at, value, said))
    return pd.DataFrame(found, columns=["implementation", "size", "value", "said"])


def _panel(data: pd.DataFrame, size: str, fixed: str, names: list[str], axis: dict[str, Any], width: int) -> Any:
    values = sorted(set(data["size"]))
    room = (values[-1] / values[0]) ** 0.04
    x = alt.X(
        "size:Q",
        scale=alt.Scale(type="log", domain=[values[0] / room, values[-1] * room], nice=False),
        axis=alt.Axis(values=values, format="d", title=SIZES[size], grid=False, labelOverlap=True),
    )
    scale = marks.several(names)
    color = alt.Color("implementation:N", scale=scale, legend=alt.Legend(columns=2 if width < 280 else 4))
    base = alt.Chart(data)
    line = base.mark_line(strokeWidth=1.3).encode(x=x, y=alt.Y("value:Q", **axis), color=color)
    known = base.transform_filter("isValid(datum.low)")
    interval = known.mark_rule().encode(x=x, y=alt.Y("low:Q", **axis), y2="high:Q", color=color)
    point = base.mark_point(filled=False, strokeWidth=1.6, size=40).encode(
        x=x,
        y=alt.Y("value:Q", **axis),
        color=color,
        fill=alt.condition("datum.clear", alt.Color("implementation:N", scale=scale, legend=None), alt.value(PAPER)),
        description="said:N",
    )
    cross = (
        alt.Chart(crossings(data))
        .mark_point(shape="cross", size=130, color=INK, angle=45, filled=True)
        .encode(x=x, y=alt.Y("value:Q", **axis), description="said:N")
    )
    return alt.layer(line, interval, point, cross).properties(width=width, height=HEIGHT, title=plain(fixed, 60))


def _fixed(family: pd.DataFrame, size: str) -> str:
    """Return what the problems of a family have in common, such as `B = 16, I = 128, H = 128`."""
    parts = [
        f"{letter} = {family[name].iloc[0] if len(set(family[name])) == 1 else 'H'}"
        for name, letter in LETTERS.items()
        if name != size and (name != "num_layers" or family[name].iloc[0] > 1)
    ]
    parts += ["both directions"] if family["bidirectional"].iloc[0] else []
    parts += [] if family["bias"].iloc[0] else ["no bias"]
    return ", ".join(parts)
