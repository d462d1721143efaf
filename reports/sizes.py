"""Rows by the sizes of their problems: maps of batch and hidden size, and lines over one size."""

from collections.abc import Iterator

import pandas as pd

from impls.core.problem import Problem
from reports.report import Report
from reports.tracks import DEFAULT
from reports.verdict import BASELINE

SIZES = ["steps", "batch", "input", "hidden"]
FEWEST = 3
"""The problems of a map or of a line, at least."""
FULL = 0.5
"""A batch or a hidden size with a smaller share of the cells that the fullest has is left out of a map."""


def sized(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with columns of their problems' SIZES, and of their other options, such as `-l2-float64`.

    Rows whose problem has another id are left out.
    """
    found = []
    for name in rows["problem"].unique():
        try:
            problem = Problem.parse(name)
        except ValueError:
            continue
        sizes = (problem.seq_len, problem.batch, problem.input_size, problem.hidden_size)
        plain = "t{}-b{}-i{}-h{}".format(*sizes)
        found.append((name, *sizes, problem.id.removeprefix(plain)))
    return rows.merge(pd.DataFrame(found, columns=["problem", *SIZES, "options"]), on="problem")


def maps(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the rows of each map, that with most problems first: same steps, options, mode and device.

    Its input size is the same too, or it is the hidden size everywhere.
    """
    by = ["steps", "options", "mode", "device"]
    square = rows[rows["input"] == rows["hidden"]]
    yield from _of_most_problems(square, by)
    yield from _of_most_problems(rows, [*by, "input"])


def map_of(report: Report, mode: str) -> pd.DataFrame:
    """Return the rows of the map that a run's report shows of a mode; without rows where it has none."""
    rows = sized(report.sound)
    rows = rows[(rows["mode"] == mode) & (rows["device"] == "cpu")]
    cells = next(maps(rows), rows.iloc[:0])
    for size in ("batch", "hidden"):
        problems = cells.groupby(size)["problem"].transform("nunique")
        cells = cells[problems >= FULL * problems.max()]
    return cells


def lines(rows: pd.DataFrame, size: str) -> list[pd.DataFrame]:
    """Return the rows of each line over a size, that with most problems first; the input size as in a map."""
    if size != "hidden":
        others = [name for name in SIZES if name != size]
        return list(_of_most_problems(rows, [*others, "options", "mode", "device"]))
    found: list[pd.DataFrame] = []
    for of_map in maps(rows):
        found += _of_most_problems(of_map, ["batch"])
    return sorted(found, key=_problems, reverse=True)


def _of_most_problems(rows: pd.DataFrame, by: list[str]) -> Iterator[pd.DataFrame]:
    groups = [group for _, group in rows.groupby(by, sort=False)]
    for group in sorted(groups, key=_problems, reverse=True):
        if _problems(group) >= FEWEST:
            yield group


def _problems(rows: pd.DataFrame) -> int:
    return int(rows["problem"].nunique())


def fastest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the row of least ratio of the plain code and of the tuned code at each problem and mode.

    A column says whether it is `tuned`. Of what is as fast as the baseline, the baseline is named.
    """
    rows = rows[rows["ratio"].notna()]
    rows = rows.assign(tuned=rows["track"] != DEFAULT, is_baseline=rows["verdict"] == BASELINE)
    rows = rows.sort_values(["ratio", "is_baseline"], ascending=[True, False], kind="stable")
    return rows.drop_duplicates(["problem", "mode", "device", "tuned"])
