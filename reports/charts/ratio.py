"""The ratio of every implementation to the baseline, with its interval and its replicates: a chart for each problem."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.charts import rows as rows_of
from reports.charts import style
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import GREY, INK, SOFT, TRACKS, plain
from reports.estimates import Blocks
from reports.frames import BENCHMARK, Run


def draw(run: Run, summary: pd.DataFrame) -> Iterator[Drawing]:
    """Yield a chart for each problem in which an implementation was compared with the baseline."""
    baseline = run.baseline
    measured = summary[(summary["status"] == "ok") & summary["ratio"].notna()]
    if set(measured["implementation"]) <= {baseline}:
        return
    replicates = _replicate_ratios(run, measured[measured["implementation"] != baseline])
    for problem, shown in measured.groupby("problem", sort=False):
        if set(shown["implementation"]) <= {baseline}:
            continue
        groups = list(shown.groupby(BENCHMARK, sort=False))
        # one order for all panels, so that an implementation has the same height in each
        order = shown.groupby("implementation").agg(
            ratio=("ratio", lambda ratios: np.log(ratios).mean()), track=("track", "first")
        )
        rows = rows_of.arranged(order.sort_values("ratio", kind="stable")["track"].to_dict())
        columns = min(len(groups), 3 if len(groups) > 4 else 2)
        height = math.ceil(len(groups) / columns)
        figure = Figure(figsize=(style.WIDTH if columns > 1 else 7, 0.9 + height * (0.62 + 0.2 * rows.count)))
        axes = figure.subplots(height, columns, squeeze=False, sharey=True).ravel()
        low, high = style.limits(shown["ratio"], shown["ratio_low"], shown["ratio_high"])
        for axis, (benchmark, group) in zip(axes, groups, strict=False):
            rows.label(axis)
            _panel(axis, group, replicates, rows)
            style.log_scale(axis.xaxis, (min(low, 0.8), max(high, 1.25)), lambda tick: f"{tick:g}")
            axis.set_title(plain(f"{benchmark[1]}, {benchmark[2]}"))
        for axis in axes[(height - 1) * columns : len(groups)]:
            axis.set_xlabel(f"time, × {plain(baseline)}")
        for axis in axes[len(groups) :]:
            axis.set_axis_off()
        title = f"Time relative to {plain(baseline)}: {plain(problem, 60)}, {plain(shown['device'].iloc[0])}"
        figure.suptitle(title, x=0.01, ha="left")
        keys = [style.key(name, c, m) for name, (c, m, _) in TRACKS.items() if name in set(shown["track"])]
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
            " workload and mode, with 95 % intervals and single replicates; default and tuned are separate groups."
        )
        yield Drawing(file_name("ratio", str(problem)), title, alt, str(problem), figure)


def _replicate_ratios(run: Run, measured: pd.DataFrame) -> dict[Any, np.ndarray]:
    """Return the ratio of each row to the baseline in each replicate, under the row's label."""
    blocks = Blocks(run, run.records[run.records["status"] == "ok"])
    logs = blocks.replicate_log_ratios(measured, measured.assign(implementation=run.baseline))
    logs["row"] = measured.index.to_numpy()[logs["pair"]]
    return {row: np.exp(pairs.to_numpy(float)) for row, pairs in logs.groupby("row")["log_ratio"]}


def _panel(axis: Axes, group: pd.DataFrame, replicates: dict[Any, np.ndarray], rows: rows_of.Rows) -> None:
    """Draw one benchmark: a row for each implementation."""
    axis.axvline(1, color=SOFT, linewidth=1)
    axis.grid(axis="x")
    row: Any
    for row in group.itertuples():
        y = rows.heights[str(row.implementation)]
        color, marker, _ = style.track_look(row.track)
        dots = replicates.get(row.Index, np.array([]))
        axis.plot(dots, np.full(len(dots), y + 0.28), ".", color=color, alpha=0.5, markersize=3.5)
        style.mark(axis, float(row.ratio), y, (row.ratio_low, row.ratio_high), color, marker)
        axis.text(
            1.01, y, style.factor(float(row.ratio)), transform=axis.get_yaxis_transform(), va="center", fontsize=8
        )
