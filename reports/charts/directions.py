"""Forward and backward side by side: for each problem, the time of each direction of the sequence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports import formatting
from reports.charts import rows as rows_of
from reports.charts import style
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import BLUE, GREEN, PURPLE, VERMILION, plain
from reports.frames import Run

MARKS = {
    "forward": (BLUE, "o"),
    "forward_train": (GREEN, "s"),
    "backward": (VERMILION, "D"),
    "train_step": (PURPLE, "^"),
}


def draw(run: Run, summary: pd.DataFrame) -> Iterator[Drawing]:  # noqa: ARG001 — as every kind of chart
    """Yield a chart for each problem whose sequence was measured in two modes or more."""
    measured = summary[
        (summary["status"] == "ok") & (summary["workload"] == "sequence") & summary["mode"].isin(list(MARKS))
    ]
    for problem, shown in measured.groupby("problem", sort=False):
        modes = [mode for mode in MARKS if mode in set(shown["mode"])]
        if len(modes) < 2:
            continue
        order = shown.groupby("implementation").agg(
            seconds=("seconds", lambda s: np.log(s).mean()), track=("track", "first")
        )
        rows = rows_of.arranged(order.sort_values("seconds", kind="stable")["track"].to_dict())
        figure = Figure(figsize=(style.WIDTH * 0.8, 1.2 + 0.3 * rows.count))
        axis = figure.subplots()
        rows.label(axis)
        axis.grid(axis="x")
        for row in shown.itertuples(index=False):
            color, marker = MARKS[str(row.mode)]
            # one below the other, so that marks of similar times do not hide each other
            y = rows.heights[str(row.implementation)] + 0.2 * (modes.index(str(row.mode)) - (len(modes) - 1) / 2)
            style.mark(axis, float(row.seconds), y, (row.seconds_low, row.seconds_high), color, marker)  # type: ignore[arg-type]
        limits = style.limits(shown["seconds"], shown["seconds_low"], shown["seconds_high"])
        style.log_scale(axis.xaxis, limits, formatting.duration)
        axis.set_xlabel("time of one call, 95 % interval")
        title = f"Forward and backward: {plain(problem, 60)}, sequence, {plain(shown['device'].iloc[0])}"
        figure.suptitle(title, x=0.01, ha="left")
        handles = [style.key(mode, *MARKS[mode]) for mode in modes]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(modes))
        alt = (
            f"Dot plot for {problem}: the times of {', '.join(modes)} of each implementation side by side,"
            " with 95 % intervals, on a logarithmic axis."
        )
        yield Drawing(file_name("directions", str(problem)), title, alt, str(problem), figure)
