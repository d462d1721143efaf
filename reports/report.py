"""A run together with its summary: what every part of a report is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks import processors
from reports.frames import Run
from reports.headline import PURPOSES, WORKLOAD

if TYPE_CHECKING:
    from reports.parts import Shown


@dataclass(frozen=True, eq=False)
class Report:
    """A run, its summary, and what a page shows of it.

    Attributes:
        run, summary: the run and its summary.
        name: the name of its folder.
        raw: the path from the page to the run's files, empty or ending in a slash.
        raw_files: those of them that are raw data, each with a few words on what it is.
        shown: its charts and answers.
    """

    run: Run
    summary: pd.DataFrame
    name: str = ""
    raw: str = ""
    raw_files: Sequence[tuple[str, str]] = ()
    shown: Sequence[Shown] = ()

    @property
    def baseline(self) -> str:
        """The implementation that all ratios are taken to."""
        return self.run.baseline

    @property
    def label(self) -> str:
        """Such as `2026-11-24-190533-quick · Intel(R) Xeon(R) Processor`."""
        machine = self.run.metadata.machine
        return f"{self.name} · {machine.gpu or processors.words(machine)}"

    @cached_property
    def asked(self) -> pd.DataFrame:
        """The rows that answers are about, with their position in the run's order, and where: the problem's name.

        Where there are several devices, `where` names that too.
        """
        rows = self.summary[(self.summary["workload"] == WORKLOAD) & self.summary["mode"].isin(PURPOSES)]
        order = {problem: k for k, problem in enumerate(dict.fromkeys(self.summary["problem"].astype(str)))}
        where = problem = rows["problem"].astype(str)
        if len(set(rows["device"])) > 1:
            where = problem + " on " + rows["device"].astype(str)
        return rows.assign(position=problem.map(order), where=where)

    @cached_property
    def sound(self) -> pd.DataFrame:
        """Those of the rows that answers are about that have a time."""
        return self.asked[self.asked["status"] == "ok"]
