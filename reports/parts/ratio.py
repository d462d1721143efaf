"""The ratio of every implementation to the baseline, with its interval: a panel for each problem."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from reports import formatting
from reports.charts import dots, marks, style
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import plain
from reports.report import Report

SECTION, ORDER, FROM = "ratios", 10, "head"


def make(report: Report) -> Iterator[Drawing]:
    """Yield a chart for each mode and device in which an implementation was compared with the baseline."""
    shown, baseline = marks.asked(report), report.baseline
    shown = shown[shown["ratio"].notna()]
    for (workload, mode, device), compared in shown.groupby(["workload", "mode", "device"], sort=False):
        if set(compared["implementation"]) <= {baseline}:
            continue
        rows, problems, more = marks.first(compared)
        data = marks.points(rows, "ratio", partial(_said, baseline), "implementation", "track", "problem")
        axis = partial(marks.log_axis, f"time, × {plain(baseline)}", style.limits(data, "ratio", 0.8, 1.25))
        chart = dots.dots(data, "ratio", axis, "ratio", line=dots.line_at(1), problems=problems)
        what = marks.where(device, workload, mode)
        title = f"Time over {plain(baseline)}'s time: {what}{more}"
        text = (
            f"Dot plot, a panel for each problem: the time of each implementation over {baseline}'s time in {what},"
            " with 95 % intervals, on a logarithmic axis."
        )
        name = file_name("ratio", str(workload), str(mode), str(device))
        yield Drawing(name, title, text, None, str(mode), list(data["said"]), chart)


def _said(baseline: str, row: Any) -> str:
    ratio = formatting.interval(row.ratio, row.ratio_low, row.ratio_high)
    where = f"{row.implementation}, {row.problem}: {ratio} × {baseline}, {row.verdict}"
    return f"{where}; {row.seconds_n:.0f} replicates; {row.versions}"
