"""Time against sequence length, batch and hidden size, where a run has problems that differ in that size alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from reports import formatting
from reports.charts import style
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import Look, plain
from reports.frames import Run
from reports.sweeps import SIZES, largest, problems_of

ENOUGH = 3
"""The fewest problems of a panel."""


def draw(run: Run, summary: pd.DataFrame) -> Iterator[Drawing]:
    """Yield a chart for each workload and mode that has a panel; a panel needs ENOUGH problems."""
    problems = problems_of(run.records)
    looks = style.looks(summary)
    for key, measured in summary[summary["status"] == "ok"].groupby(["workload", "mode", "device"], sort=False):
        workload, mode, device = map(str, key)
        here = problems[problems["problem"].isin(measured["problem"])]
        # one step is the same work for every T
        sizes = [size for size in SIZES if size != "seq_len" or workload != "cell"]
        families = {size: family for size in sizes if (family := largest(here, size))[size].nunique() >= ENOUGH}
        if not families:
            continue
        figure = Figure(figsize=(min(style.WIDTH, 2.6 + 2.6 * len(families)), 4.2))
        axes = figure.subplots(1, len(families), squeeze=False, sharey=True).ravel()
        shown = measured[measured["problem"].isin(pd.concat(families.values())["problem"])]
        for axis, (size, family) in zip(axes, families.items(), strict=True):
            _panel(axis, measured.merge(family, on="problem"), size, looks)
            bounds = style.limits(shown["seconds"], shown["seconds_low"], shown["seconds_high"])
            style.log_scale(axis.yaxis, bounds, formatting.duration)
            axis.set_title(_fixed(family, size), fontsize=8.5)
        axes[0].set_ylabel("time of one call, 95 % interval")
        title = f"Time against size: {plain(workload)}, {plain(mode)}, {plain(device)}"
        figure.suptitle(title, x=0.01, ha="left")
        # in the order in which the lines end at the right
        last = list(families.values())[-1]
        ends = shown.assign(late=shown["problem"].isin(last["problem"])).sort_values(["late", "seconds"])
        names = list(dict.fromkeys(ends["implementation"][::-1].astype(str)))
        figure.legend(
            handles=[style.key(n, looks[n].color, looks[n].marker, looks[n].line) for n in names],
            loc="outside right center",
            handlelength=3,
        )
        alt = (
            f"Line charts on logarithmic axes: the time of {workload}, {mode} against"
            f" {', '.join(SIZES[size] for size in families)}, a line for each implementation; tuned ones are dashed."
        )
        yield Drawing(file_name("sizes", workload, mode, device), title, alt, None, figure)


def _fixed(family: pd.DataFrame, size: str) -> str:
    """Return what the problems of a family have in common, such as `B = 16, I = 128, H = 128`."""
    letters = {"seq_len": "T", "batch": "B", "input_size": "I", "hidden_size": "H", "num_layers": "L"}
    parts = [
        f"{letter} = {family[name].iloc[0] if len(set(family[name])) == 1 else 'H'}"
        for name, letter in letters.items()
        if name != size and (name != "num_layers" or family[name].iloc[0] > 1)
    ]
    parts += ["both directions"] if family["bidirectional"].iloc[0] else []
    parts += [] if family["bias"].iloc[0] else ["no bias"]
    return ", ".join(parts)


def _panel(axis: Axes, family: pd.DataFrame, size: str, looks: dict[str, Look]) -> None:
    """Draw a line for each implementation over the problems of a family."""
    for name, line in family.sort_values(size).groupby("implementation", sort=False):
        look = looks[str(name)]
        sound = (line["seconds_low"] > 0) & np.isfinite(line["seconds_high"])
        axis.vlines(
            line.loc[sound, size], line.loc[sound, "seconds_low"], line.loc[sound, "seconds_high"],
            color=look.color, linewidth=1.6,
        )  # fmt: skip
        axis.plot(
            line[size], line["seconds"], color=look.color, marker=look.marker, linestyle=look.line, linewidth=1.2,
            markersize=5, markeredgecolor=style.PAPER, markeredgewidth=0.5,
        )  # fmt: skip
    axis.grid()
    values = sorted(set(family[size]))
    axis.set_xscale("log")
    axis.set_xticks(values, [str(value) for value in values])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel(SIZES[size])
