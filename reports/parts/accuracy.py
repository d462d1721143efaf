"""The error of each implementation against a float64 reference: whether a fast one is less exact."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd

from impls.core.formats import FORMATS
from reports import formatting
from reports.charts import dots, marks
from reports.charts.drawing import Drawing, file_name
from reports.report import Report

SECTION, ORDER = "trust", 70


def make(report: Report) -> Iterator[Drawing]:
    """Yield a chart for each dtype and device in which two implementations have an error: a panel for each problem."""
    shown = marks.asked(report, ["train_step"])
    shown = shown[shown["error"].notna()]
    dtypes = report.run.records.drop_duplicates("problem").set_index("problem")["dtype"].astype(str)
    for (dtype, device), rows in shown.groupby([shown["problem"].map(dtypes).astype(str), "device"], sort=False):
        if dtype in FORMATS and len(set(rows["implementation"])) > 1:  # otherwise its spacing is not known
            yield _drawing(str(dtype), str(device), rows)


def _said(row: Any) -> str:
    where = f"{row.implementation}, {row.problem}"
    if not row.error > 0:
        return f"{where}: no error"
    return f"{where}: {formatting.error(row.error)}" + (f" in {row.error_tensor}" if pd.notna(row.error_tensor) else "")


def _drawing(dtype: str, device: str, rows: pd.DataFrame) -> Drawing:
    rows, problems, more = marks.first(rows)
    spacing = 2 * FORMATS[dtype].unit
    least = min([spacing, *rows.loc[rows["error"] > 0, "error"]])
    data = marks.words(rows, "implementation", "track", "problem").assign(error=rows["error"], seconds=rows["seconds"])
    # a log axis has no zero: a row without any error stands at its lower end
    data["shown"] = rows["error"].where(rows["error"] > 0, least / 2)
    data["said"] = marks.said(rows, _said)
    ends = least / 2.2, max([spacing, *rows["error"]]) * 1.6
    axis = partial(marks.log_axis, "error", ends, apart=60, least=2, form="~e")
    line = dots.line_at(spacing, strokeDash=[4, 3])
    chart = dots.dots(data, "shown", axis, "seconds", line, problems)
    where = marks.where(device, rows["workload"].iloc[0], rows["mode"].iloc[0])
    title = f"Error, the fastest of each track first: {where}{more}. Dashed: the spacing of {dtype} at 1"
    text = (
        f"Dot plot, a panel for each problem: the largest error of each implementation in {where}, on a"
        f" logarithmic axis. A dashed line is at the spacing of {dtype} numbers at 1."
    )
    return Drawing(file_name("accuracy", dtype, device), title, text, list(data["said"]), chart)
