"""Error against speed: whether a fast implementation is less exact."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from impls.core.formats import FORMATS
from reports.charts import labels, style
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import SOFT, TRACKS, plain
from reports.frames import Run


def draw(run: Run, summary: pd.DataFrame) -> Iterator[Drawing]:
    """Yield a chart for each problem in which two implementations have an error and a ratio to the baseline."""
    baseline = run.baseline
    measured = summary[(summary["status"] == "ok") & summary["ratio"].notna() & summary["error"].notna()]
    for problem, rows in measured.groupby("problem", sort=False):
        workload, mode = choice(rows)
        shown = rows[(rows["workload"] == workload) & (rows["mode"] == mode)]
        if len(shown) < 2:
            continue
        dtype = str(run.records.loc[run.records["problem"] == problem, "dtype"].iloc[0])
        if dtype not in FORMATS:  # its spacing is not known
            continue
        figure = Figure(figsize=(style.WIDTH * 0.8, 4.8))
        axis = figure.subplots()
        axis.set_xlabel(f"time relative to {plain(baseline)}, 95 % interval")
        axis.set_ylabel("largest error against a float64 reference")
        what = f"{plain(problem, 60)}, {plain(workload)}, {plain(mode)}, {plain(shown['device'].iloc[0])}"
        figure.suptitle(f"Error against speed: {what}", x=0.01, ha="left")
        handles = [style.key(name, c, m, "", 6) for name, (c, m, _) in TRACKS.items() if name in set(shown["track"])]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        _points(axis, shown, dtype)
        alt = (
            f"Scatter plot for {problem}, {workload}, {mode}: the error of each implementation against its time"
            f" relative to {baseline}, both on logarithmic axes; fast and exact ones are at the lower left."
        )
        yield Drawing(file_name("accuracy", str(problem)), f"Error against speed: {what}", alt, str(problem), figure)


def choice(rows: pd.DataFrame) -> tuple[str, str]:
    """Return the workload and mode to show: the sequence's whole training step, or the nearest that there is."""
    rank = 2 * (rows["mode"] != "train_step") + (rows["workload"] != "sequence")
    first = rows.iloc[int(rank.argmin())]
    return str(first["workload"]), str(first["mode"])


def _points(axis: Axes, shown: pd.DataFrame, dtype: str) -> None:
    """Draw a named point for each row."""
    errors, eps = shown["error"], 2 * FORMATS[dtype].unit
    # a log axis has no zero: a row without any error stands below all others
    heights = errors.where(errors > 0, min([eps, *errors[errors > 0]]) / 4)
    style.log_scale(axis.yaxis, (min([eps, *heights]) / 1.5, max([eps, *heights]) * 1.5), "{:.1g}".format)
    low, high = style.limits(shown["ratio"], shown["ratio_low"], shown["ratio_high"])
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
    for y, row in zip(heights, shown.itertuples(index=False), strict=True):
        color, marker, _ = style.track_look(row.track)
        style.mark(axis, float(row.ratio), y, (row.ratio_low, row.ratio_high), color, marker, 6)  # type: ignore[arg-type]
    axis.get_figure(root=True).draw_without_rendering()  # type: ignore[union-attr]  # the layout decides where points lie
    taken = [base.get_window_extent().padded(1), *(text.get_window_extent() for text in axis.texts)]
    for y, row_low, row_high in zip(heights, shown["ratio_low"], shown["ratio_high"], strict=True):
        if row_low > 0 and np.isfinite(row_high):
            ends = axis.transData.transform([(row_low, y), (row_high, y)])
            taken.append(Bbox(ends).padded(2))
    points = list(zip(shown["ratio"], heights, strict=True))
    labels.write(axis, points, list(shown["implementation"].astype(str)), taken)
