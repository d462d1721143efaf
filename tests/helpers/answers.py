"""The answers of runs that tests make up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reports import parts
from reports.report import Answer, Report
from reports.summary import summarise
from tests.helpers.records import save


def answered(folder: Path, rows: list[dict[str, Any]]) -> dict[str, Answer]:
    """Save records as a run, and return its answers by their titles."""
    run = save(folder / "run", rows)
    made = parts.made(Report(run, summarise(run)))
    return {answer.title: answer for answer in parts.answers(made)}
