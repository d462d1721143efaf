"""The answers of runs that tests make up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reports.frames import Run
from reports.report import Answer, Report
from reports.run_folder import complete
from reports.summary import summarise
from tests.helpers.records import save


def answered(folder: Path, rows: list[dict[str, Any]]) -> dict[str, Answer]:
    """Save records as a run, and return its answers by their titles."""
    return {answer.title: answer for answer in complete(save(folder / "run", rows)).answers}


def report_of(run: Run, name: str = "") -> Report:
    """The report of a run, without its answers."""
    return Report(run, summarise(run), name)
