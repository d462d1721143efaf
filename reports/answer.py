"""An answer of a report: a question, a few sentences, and the table behind them; and what the answers share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import pandas as pd

from benchmarks.columns import Column
from reports.estimates import blocks_of
from reports.frames import BENCHMARK
from reports.report import Report
from reports.tables import words_of

TIMES = ["seconds", "seconds_low", "seconds_high"]
WHERE = tuple(map(words_of, ("problem", "mode", "device")))
NAMED = 6
"""The most problems that a sentence names one by one."""


@dataclass(frozen=True)
class Answer:
    """A question, its answer in a few sentences, and the table behind it: a row for each of the frame's."""

    title: str
    sentence: str
    columns: Sequence[Column]
    frame: pd.DataFrame

    @property
    def rows(self) -> list[Any]:
        """The rows of the table, as its columns take them."""
        return list(self.frame.itertuples(index=False))

    def as_text(self) -> Answer:
        """Return the same answer with the texts of its cells as its frame, which another process can have."""
        cells = pd.DataFrame([[column.cell(row) for column in self.columns] for row in self.rows])
        columns = [replace(column, cell=itemgetter(k)) for k, column in enumerate(self.columns)]
        return replace(self, columns=columns, frame=cells)


def training(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of whole training steps."""
    return rows[rows["mode"] == "train_step"]


def by_implementation(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the name and the rows of each implementation, in the order of the rows."""
    for name, mine in rows.groupby("implementation", sort=False, observed=True):
        yield str(name), mine


def best(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the row of the least value in each track of each benchmark."""
    return rows.loc[rows.groupby([*BENCHMARK, "track"], sort=False, observed=True)[column].idxmin()]


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows by problem, in the run's order, then by mode."""
    return rows.sort_values(["position", "mode"], kind="stable")


def pair_ratios(report: Report, compared: pd.DataFrame, other: str) -> pd.DataFrame:
    """Return rows with the ratio of their implementation's time to that of another, as Blocks.ratios has it.

    Args:
        report: the report.
        compared: rows with an ARM that has a time.
        other: the column with the other implementation. Rows whose other one has no time are left out.
    """
    others = compared.assign(implementation=compared[other])
    ratios = blocks_of(report.run).ratios(compared, others)
    return pd.concat([compared, ratios], axis=1)[ratios["ratio"].notna()]
