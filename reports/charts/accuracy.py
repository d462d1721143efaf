"""Error against speed: whether what is quick is so by being careless."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from impls.core.problem import DTYPES
from reports.charts import labels, style
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import SOFT, TRACKS, plain
from reports.frames import Run


def draw(run: Run, summary: pd.DataFrame) -> Iterator[Drawing]:
    """A figure per problem in which two implementations have an error and a ratio to the baseline."""
    baseline = run.options["baseline"]
    measured = summary[(summary["status"] == "ok") & summary["ratio"].notna() & summary["error"].notna()]
    for problem, rows in measured.groupby("problem", sort=False):
        workload, mode = choice(rows)
        found = rows[(rows["workload"] == workload) & (rows["mode"] == mode)]
        if len(found) < 2:
            continue
        dtype = str(run.records.loc[run.records["problem"] == problem, "dtype"].iloc[0])
        if dtype not in DTYPES:  # its spacing is not known
            continue
        figure = Figure(figsize=(style.WIDTH * 0.8, 4.8))
        axis = figure.subplots()
        axis.set_xlabel(f"time relative to {plain(baseline)}, 95 % interval")
        axis.set_ylabel("largest error against a float64 reference")
        what = f"{plain(problem, 60)}, {plain(workload)}, {plain(mode)}, {plain(found['device'].iloc[0])}"
        figure.suptitle(f"Error against speed: {what}", x=0.01, ha="left")
        handles = [style.key(name, c, m, "", 6) for name, (c, m) in TRACKS.items() if name in set(found["track"])]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        _points(axis, found, dtype)
        alt = (
            f"Scatter plot for {problem}, {workload}, {mode}: the error of each implementation against its time"
            f" relative to {baseline}, both on logarithmic axes; what is fast and exact lies at the lower left."
        )
        yield Drawing(file_name("accuracy", str(problem)), f"Error against speed: {what}", alt, str(problem), figure)


def choice(rows: pd.DataFrame) -> tuple[str, str]:
    """The workload and mode to show: the sequence's whole training step, or what comes nearest to it."""
    rank = 2 * (rows["mode"] != "train_step") + (rows["workload"] != "sequence")
    first = rows.iloc[int(rank.argmin())]
    return str(first["workload"]), str(first["mode"])


def _points(axis: Axes, found: pd.DataFrame, dtype: str) -> None:
    errors, eps = found["error"], float(np.finfo(dtype).eps)
    # a log axis has no zero: what has no error stands below everything else
    heights = errors.where(errors > 0, min([eps, *errors[errors > 0]]) / 4)
    style.log_scale(axis.yaxis, (min([eps, *heights]) / 1.5, max([eps, *heights]) * 1.5), "{:.1g}".format)
    low, high = style.limits(found["ratio"], found["ratio_low"], found["ratio_high"])
    room = (high / low) ** 0.12  # for the names
    style.log_scale(axis.xaxis, (min(low / room, 0.8), max(high * room, 1.25)), "{:g}".format)
    axis.grid()
    axis.axhline(eps, color=SOFT, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    base = axis.axvline(1, color=SOFT, linewidth=1, zorder=1)
    across = axis.get_yaxis_transform()
    axis.text(
        0.995,
        eps * 1.03,
        f"spacing of {dtype} at 1",
        transform=across,
        ha="right",
        va="bottom",
        fontsize=8.5,
        color=SOFT,
    )
    if (errors == 0).any():
        axis.text(0.995, heights.min(), "no error", transform=across, ha="right", va="bottom", fontsize=8.5, color=SOFT)
    for y, row in zip(heights, found.itertuples(index=False), strict=True):
        colour, marker = TRACKS.get(str(row.track), TRACKS["default"])
        style.mark(axis, float(row.ratio), y, (row.ratio_low, row.ratio_high), colour, marker, 6)  # type: ignore[arg-type]
    axis.get_figure(root=True).draw_without_rendering()  # type: ignore[union-attr]  # lays out: says where points lie
    taken = [base.get_window_extent().padded(1), *(text.get_window_extent() for text in axis.texts)]
    for y, row_low, row_high in zip(heights, found["ratio_low"], found["ratio_high"], strict=True):
        if row_low > 0 and np.isfinite(row_high):
            ends = axis.transData.transform([(row_low, y), (row_high, y)])
            taken.append(Bbox(ends).padded(2))
    labels.place(
        axis, list(zip(found["ratio"], heights, strict=True)), list(found["implementation"].astype(str)), taken
    )
