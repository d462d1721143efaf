"""Whether the machine drifted: each turn relative to its arm's median, over the minutes of the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import frames
from reports.charts import style
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import GRID, INK, SOFT, Look, plain
from reports.frames import ARM, Run

MOST = 6
"""The most panels; with more, each would be too small."""
WINDOW = 25
"""The turns in a running median."""
GAP = 0.01
"""The line is broken where two turns are further apart than this share of the run."""
BEYOND = "^"
"""The mark at the upper edge for a turn beyond it; no implementation has it."""
MANY = 2000
"""With more dots than this the SVG holds them as an image."""


def draw(run: Run, summary: pd.DataFrame) -> Iterator[Drawing]:
    """Yield one chart, if turns say when they ran: a panel for each of the first problems."""
    sound = summary.loc[summary["status"] == "ok", ARM]
    turns = relative(run, sound)
    if not turns["minutes"].max() > 0:
        return
    problems = sound.loc[sound["problem"].isin(turns["problem"]), "problem"].drop_duplicates().head(MOST)
    names = sorted({str(name) for name in turns["implementation"]})
    figure = Figure(figsize=(style.WIDTH, max(0.9 + 1.7 * len(problems), 0.2 * (len(names) + 3))))
    axes = figure.subplots(len(problems), 1, squeeze=False, sharex=True).ravel()
    looks = style.looks(summary)
    for axis, problem in zip(axes, problems, strict=True):
        _panel(axis, turns[turns["problem"] == problem], looks, as_image=len(turns) > MANY)
        axis.set_title(plain(problem, 80))
    axes[-1].set_xlabel("minutes since the run's first turn (shaded: replicates, by number)")
    figure.supylabel("time / its arm's median", fontsize=9)
    title = "Drift: every turn in the order in which it ran"
    figure.suptitle(title, x=0.01, ha="left")
    handles = [style.key(f"median of {WINDOW} turns", INK)]
    handles += [style.key("slower than shown", SOFT, BEYOND, "", 4)]
    handles += [style.key(name, looks[name].color, looks[name].marker, "", 4) for name in names]
    figure.legend(handles=handles, loc="outside right center")
    alt = (
        "Scatter plots over the minutes of the run, one for each problem: the time of each turn relative to the median"
        " of its implementation, with a running median; replicates are shaded."
    )
    yield Drawing(file_name("drift"), title, alt, None, figure)


def relative(run: Run, arms: pd.DataFrame) -> pd.DataFrame:
    """Return the turns of these arms in the order of time, with `minutes` since the first and `relative` time."""
    chosen = pd.MultiIndex.from_frame(run.records[ARM]).isin(pd.MultiIndex.from_frame(arms))
    turns = frames.turns(run, run.records[chosen]).dropna(subset="started").sort_values("started", kind="stable")
    turns["minutes"] = (turns["started"] - turns["started"].min()) / 60
    turns["relative"] = turns["seconds"] / turns.groupby(ARM, observed=True)["seconds"].transform("median")
    return turns


def _panel(axis: Axes, turns: pd.DataFrame, looks: dict[str, Look], *, as_image: bool) -> None:
    """Draw one problem's turns."""
    top = max(1.25, float(turns["relative"].quantile(0.98)))
    edge = axis.get_xaxis_transform()
    for number, replicate in turns.groupby("replicate"):
        start, end = replicate["minutes"].min(), replicate["minutes"].max()
        axis.axvspan(start, end, color=GRID, alpha=0.45, linewidth=0, zorder=0)
        axis.text(start, 0.02, f" {number}", transform=edge, va="bottom", fontsize=8, color=SOFT)
        middle = replicate["relative"].rolling(WINDOW, center=True, min_periods=1).median()
        # no line across the time of other problems' turns
        middle[replicate["minutes"].diff() > GAP * turns["minutes"].max()] = np.nan
        axis.plot(replicate["minutes"], middle, color=INK, linewidth=1.2, zorder=4)
    for name, arm in turns.groupby("implementation", observed=True):
        look = looks[str(name)]
        dots: dict[str, Any] = {"color": look.color, "alpha": 0.45, "markersize": 3.2, "rasterized": as_image}
        axis.plot(arm["minutes"], arm["relative"], look.marker, **dots)
        beyond = arm.loc[arm["relative"] > top, "minutes"]
        axis.plot(beyond, [0.98] * len(beyond), BEYOND, transform=edge, **dots)
    axis.axhline(1, color=SOFT, linewidth=0.7)
    axis.grid(axis="y")
    style.log_scale(axis.yaxis, (min(0.85, float(turns["relative"].min())) * 0.97, top), "{:g}".format, most=6)
