"""A run together with its summary, what a page shows of it, and what its charts and answers share."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from benchmarks import processors
from benchmarks.tables import Column
from reports.charts.drawing import Drawing
from reports.code_age import is_today
from reports.estimates import blocks_of
from reports.frames import Run

PURPOSES = {"train_step": "Training", "forward": "Inference"}
WORKLOAD = "sequence"


@dataclass(frozen=True)
class Answer:
    """A question, its answer in a few sentences, the most important first, and the table behind it.

    The table has a row for each of the frame's.
    """

    title: str
    sentences: Sequence[str]
    columns: Sequence[Column]
    frame: pd.DataFrame

    @property
    def text(self) -> str:
        """The sentences as one text."""
        return " ".join(self.sentences)

    @property
    def rows(self) -> list[Any]:
        """The rows of the table, as its columns take them."""
        return list(self.frame.itertuples(index=False))


@dataclass(frozen=True, eq=False)
class Report:
    """A run, its summary, and what a page shows of it.

    Attributes:
        name: the name of its folder.
        raw: the path from the page to the run's files, empty or ending in a slash.
        raw_files: the names of the files of raw data, each with a few words on what it is.
        shown: its charts and answers.
    """

    run: Run
    summary: pd.DataFrame
    name: str = ""
    raw: str = ""
    raw_files: Sequence[tuple[str, str]] = ()
    shown: Sequence[Drawing | Answer] = ()

    @property
    def baseline(self) -> str:
        """The implementation that all ratios are taken to."""
        return self.run.baseline

    @property
    def answers(self) -> list[Answer]:
        """The tables of the report that answer a question, without its charts."""
        return [each for each in self.shown if isinstance(each, Answer)]

    @property
    def label(self) -> str:
        """Such as `2026-11-24-190533-quick · Intel(R) Xeon(R) Processor`."""
        machine = self.run.metadata.machine
        return f"{self.name} · {machine.gpu_with_driver or processors.words(machine)}"

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The rows of the summary, with `older`: whether they are of an older code."""
        return self.summary.assign(older=~is_today(self.summary))

    @cached_property
    def asked(self) -> pd.DataFrame:
        """The rows that answers are about, with position (in the run's order) and where.

        `where` is the problem's name, and the device's too where there are several.
        """
        rows = self.rows.assign(position=self.summary["problem"].factorize()[0])
        rows = rows[(rows["workload"] == WORKLOAD) & rows["mode"].isin(PURPOSES)]
        where = rows["problem"]
        if len(rows["device"].unique()) > 1:
            where = where + " on " + rows["device"]
        return rows.assign(where=where)

    @cached_property
    def sound(self) -> pd.DataFrame:
        """Those of the rows that answers are about that have a time."""
        return self.asked[self.asked["status"] == "ok"]


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows by problem, in the run's order, then by mode."""
    return rows.sort_values(["position", "mode"], kind="stable")


def pair_ratios(report: Report, compared: pd.DataFrame, other: str) -> pd.DataFrame:
    """Return rows with the ratio to the implementation in the column `other`, as Blocks.ratios has it.

    Rows whose other one has no time are left out.
    """
    return blocks_of(report.run).with_ratios(compared, compared[other])
