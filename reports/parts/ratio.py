"""The ratio of every implementation to the baseline, with its interval: a panel for each problem."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from reports import formatting
from reports.charts import dots, marks, style
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import plain
from reports.report import Report

SECTION, ORDER, FROM = "ratios", 10, "head"


def make(report: Report) -> Iterator[Drawing]:
    """Yield a chart for each mode and device in which an implementation was compared with the baseline."""
    shown = marks.asked(report)
    shown = shown[shown["ratio"].notna()]
    for (workload, mode, device), rows in shown.groupby(["workload", "mode", "device"], sort=False):
        if not set(rows["implementation"]) <= {report.baseline}:
            yield _drawing(report.baseline, str(workload), str(mode), str(device), rows)


def _drawing(baseline: str, workload: str, mode: str, device: str, rows: pd.DataFrame) -> Drawing:
    rows, problems, more = marks.first(rows)
    order = dots.in_rows(rows, "ratio")
    data = marks.points(rows, "ratio", lambda row: _said(row, baseline), "implementation", "track", "problem")
    low, high = style.limits(rows["ratio"], rows["ratio_low"], rows["ratio_high"])
    ends = min(low, 0.8), max(high, 1.25)
    looks = {"y": dots.rows_of(order), **dots.of_tracks(list(data["track"]))}

    def layers(base: Any, width: int) -> Any:
        axis = marks.log_axis(f"time, × {plain(baseline)}", ends, most=max(3, width // 32))
        return dots.dots(base, "ratio", axis, dots.line_at(1), **looks)

    what = marks.where(workload, mode, device)
    title = f"Time over {plain(baseline)}'s time: {what}{more}"
    text = (
        f"Dot plot, a panel for each problem: the time of each implementation over {baseline}'s time in {what}, with"
        " 95 % intervals, on a logarithmic axis."
    )
    chart = dots.panels(data, problems, order, layers)
    return Drawing(file_name("ratio", workload, mode, device), title, text, None, mode, list(data["said"]), chart)


def _said(row: Any, baseline: str) -> str:
    ratio = formatting.interval(row.ratio, row.ratio_low, row.ratio_high)
    where = f"{row.implementation}, {row.problem}: {ratio} × {baseline}, {row.verdict}"
    return f"{where}; {row.seconds_n:.0f} replicates; {row.versions}"
