"""Which rows of several runs count: those with a time, one for each arm, of today's code where there is some."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from reports.code_age import file_of
from reports.frames import ARM, began
from reports.report import Report
from reports.verdict import BASELINE


def one_each(
    reports: Iterable[Report], rows_of_report: Callable[[Report], pd.DataFrame]
) -> pd.DataFrame:
    """Return a row for each arm of some reports: of today's code, or else of the first report that has it.

    A row with a ratio goes before one without. Columns beside those of the rows: `report`; `day`, when its run began.
    """
    every = []
    for report in reports:
        where: dict[str, Any] = {"report": report, "day": began(report.run.run_id)}
        every.append(rows_of_report(report).assign(**where))
    rows = pd.concat(every, ignore_index=True)
    rows = rows.assign(unknown=rows["ratio"].isna())
    rows = rows.sort_values(["older", "unknown"], kind="stable")
    return rows.drop_duplicates(ARM).sort_index()


def sequences(reports: Sequence[Report]) -> pd.DataFrame:
    """Return the row of each implementation that has a time for a sequence, as one_each.

    Of a file that ran with several releases of a package, only the present one stands here, if it is there. Runs whose
    baseline is another than the first's are left out.
    """
    comparable = [report for report in reports if report.baseline == reports[0].baseline]
    rows = one_each(comparable, lambda report: report.sound)
    names = rows["implementation"]
    files = file_of(names)
    present = (names == files) | ~files.isin(names) | (rows["verdict"] == BASELINE)
    return rows[present]
