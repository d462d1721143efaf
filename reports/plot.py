"""Figures: for each problem, every implementation's ratio to the baseline, with its interval and its replicates."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from impls.files import write_whole
from reports import estimate, frame
from reports.frame import BENCHMARK, Run

# Okabe and Ito's colours, told apart by the colour-blind; a marker of its own says the same in print
TRACKS = {"default": ("#0072B2", "o"), "tuned": ("#D55E00", "s"), "floor": ("#666666", "D")}
COLUMNS = 2
TICKS = [0.25, 0.5, 1, 2, 4, 8, 16, 32]


def figures(run: Run, summary: pd.DataFrame) -> dict[str, Figure]:
    """A figure per problem, by the problem's id; a problem in which nothing was measured has none."""
    sound = run.records[run.records["status"] == "ok"]
    baseline = run.options["baseline"]
    replicates = estimate.replicate_log_ratios(estimate.block_logs(frame.turns(run, sound)), baseline)
    found = {}
    for problem, rows in summary[summary["ratio"].notna()].groupby("problem", sort=False):
        groups = list(rows.groupby(BENCHMARK, sort=False))
        # one order for all panels, so that an implementation is found at the same height in each
        order = rows.groupby("implementation")["ratio"].agg(lambda r: np.log(r).mean()).sort_values(ascending=False)
        height = math.ceil(len(groups) / COLUMNS)
        figure = Figure(figsize=(5.2 * COLUMNS, height * (1.0 + 0.24 * len(order))), layout="constrained")
        axes = figure.subplots(height, COLUMNS, squeeze=False, sharey=True).ravel()
        limits = 0.9 * rows["ratio_low"].min(), 1.1 * rows["ratio_high"].replace(np.inf, np.nan).max()
        for axis, (key, group) in zip(axes, groups, strict=False):
            mine = replicates[(replicates[BENCHMARK] == list(key)).all(axis=1)]
            _panel(axis, group, mine, list(order.index), limits)
            axis.set_title(f"{key[1]}, {key[2]}", fontsize=10, loc="left")
        for axis in axes[len(groups) :]:
            axis.set_visible(False)
        figure.supxlabel(f"time, × {baseline} (95 % interval; small dots: replicates)", fontsize=9)
        figure.suptitle(f"{problem}, {rows['device'].iloc[0]}", fontsize=11, x=0.01, ha="left")
        found[str(problem)] = figure
    return found


def _panel(
    axis: Axes, rows: pd.DataFrame, replicates: pd.DataFrame, order: list[str], limits: tuple[float, float]
) -> None:
    axis.axvline(1, color="#999999", linewidth=1)
    for row in rows.itertuples(index=False):
        y = order.index(str(row.implementation))
        colour, marker = TRACKS.get(str(row.track), TRACKS["default"])
        dots = np.exp(replicates.loc[replicates["implementation"] == row.implementation, "log_ratio"])
        axis.plot(dots, np.full(len(dots), y), ".", color=colour, alpha=0.35, markersize=4)
        if np.isfinite(float(row.ratio_high)):  # type: ignore[arg-type]
            axis.plot(np.array([row.ratio_low, row.ratio_high], float), [y, y], color=colour, linewidth=1.5)
        axis.plot(np.array([row.ratio], float), [y], marker, color=colour, markersize=5)
    axis.set_yticks(range(len(order)), order, fontsize=8)
    axis.set_xscale("log")
    axis.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS], fontsize=8)
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(axis="x", color="#e5e5e5", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.set_xlim(min(0.4, limits[0] or 0.4), max(2.5, limits[1]))
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.tick_params(axis="y", length=0)


def save(run: Run, summary: pd.DataFrame) -> dict[str, str]:
    """Write figures/PROBLEM.svg and .png, the same bytes for the same records; gives each SVG's text by problem."""
    folder = run.folder / "figures"
    folder.mkdir(exist_ok=True)
    texts = {}
    with mpl.rc_context({"svg.hashsalt": "lstm-bench", "svg.fonttype": "path"}):
        for problem, figure in figures(run, summary).items():
            for kind, metadata in (("svg", {"Date": None, "Creator": None}), ("png", {"Software": None})):
                write_whole(
                    folder / f"{problem}.{kind}",
                    lambda path, f=figure, k=kind, m=metadata: f.savefig(path, format=k, dpi=150, metadata=m),  # type: ignore[misc]
                )
            texts[problem] = (folder / f"{problem}.svg").read_text(encoding="utf-8")
    return texts
