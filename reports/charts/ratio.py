"""For each problem, every implementation's ratio to the baseline, with its interval and its replicates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import estimates, frames
from reports.charts import rows as rows_of
from reports.charts import style
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import GREY, INK, SOFT, TRACKS, plain
from reports.frames import BENCHMARK, Run


def draw(run: Run, summary: pd.DataFrame) -> Iterator[Drawing]:
    """A figure per problem in which anything was compared with the baseline."""
    baseline = run.options["baseline"]
    measured = summary[(summary["status"] == "ok") & summary["ratio"].notna()]
    if set(measured["implementation"]) <= {baseline}:
        return
    sound = run.records[run.records["status"] == "ok"]
    replicates = estimates.replicate_log_ratios(estimates.block_logs(frames.turns(run, sound)), baseline)
    replicates = replicates[replicates["implementation"] != baseline]
    for problem, found in measured.groupby("problem", sort=False):
        if set(found["implementation"]) <= {baseline}:
            continue
        groups = list(found.groupby(BENCHMARK, sort=False))
        # one order for all panels, so that an implementation is found at the same height in each
        order = found.groupby("implementation").agg(
            ratio=("ratio", lambda ratios: np.log(ratios).mean()), track=("track", "first")
        )
        rows = rows_of.lay(order.sort_values("ratio", kind="stable")["track"].to_dict())
        columns = min(len(groups), 3 if len(groups) > 4 else 2)
        height = math.ceil(len(groups) / columns)
        figure = Figure(figsize=(style.WIDTH if columns > 1 else 7, 0.9 + height * (0.62 + 0.2 * rows.count)))
        axes = figure.subplots(height, columns, squeeze=False, sharey=True).ravel()
        low, high = style.limits(found["ratio"], found["ratio_low"], found["ratio_high"])
        for axis, (key, group) in zip(axes, groups, strict=False):
            rows.label(axis)
            _panel(axis, group, replicates[(replicates[BENCHMARK] == list(key)).all(axis=1)], rows)
            style.log_scale(axis.xaxis, (min(low, 0.8), max(high, 1.25)), lambda tick: f"{tick:g}")
            axis.set_title(plain(f"{key[1]}, {key[2]}"))
        for axis in axes[(height - 1) * columns : len(groups)]:
            axis.set_xlabel(f"time, × {plain(baseline)}")
        for axis in axes[len(groups) :]:
            axis.set_axis_off()
        title = f"Time relative to {plain(baseline)}: {plain(problem, 60)}, {plain(found['device'].iloc[0])}"
        figure.suptitle(title, x=0.01, ha="left")
        keys = [style.key(name, *look) for name, look in TRACKS.items() if name in set(found["track"])]
        keys += [
            style.key("95 % interval", INK),
            style.key("one replicate", GREY, ".", "", alpha=0.7),
            style.key("as fast as the baseline", SOFT, "|", "", size=11),
        ]
        if len(groups) < len(axes):
            axes[-1].legend(handles=keys, loc="center left")
        else:
            figure.legend(handles=keys, loc="outside lower center", ncols=6 if columns > 1 else 3)
        alt = (
            f"Dot plot for {problem}: the time of each implementation relative to {baseline}, one panel for each"
            " workload and mode, with 95 % intervals and single replicates; default and tuned stand in separate groups."
        )
        yield Drawing(file_name("ratio", str(problem)), title, alt, str(problem), figure)


def _panel(axis: Axes, group: pd.DataFrame, replicates: pd.DataFrame, rows: rows_of.Rows) -> None:
    axis.axvline(1, color=SOFT, linewidth=1)
    axis.grid(axis="x")
    row: Any
    for row in group.itertuples(index=False):
        name, y = str(row.implementation), rows.places[str(row.implementation)]
        colour, marker = TRACKS.get(str(row.track), TRACKS["default"])
        dots = np.exp(replicates.loc[replicates["implementation"] == name, "log_ratio"].to_numpy(float))
        axis.plot(dots, np.full(len(dots), y + 0.28), ".", color=colour, alpha=0.5, markersize=3.5)
        style.mark(axis, float(row.ratio), y, (row.ratio_low, row.ratio_high), colour, marker)
        axis.text(
            1.01, y, style.factor(float(row.ratio)), transform=axis.get_yaxis_transform(), va="center", fontsize=8
        )
