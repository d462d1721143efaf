"""The tables in GitHub's Markdown: table.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
from tabulate import tabulate

from benchmarks.columns import Column
from benchmarks.words import markdown_cell
from reports import parts
from reports.frames import Run
from reports.parts import Shown
from reports.preamble import notes, preamble
from reports.report import Report
from reports.tables import sections


def table(columns: Sequence[Column], rows: Sequence[Any]) -> str:
    """Return rows as a table, every value escaped."""
    return tabulate(
        [[markdown_cell(column.cell(row)) for column in columns] for row in rows],
        headers=[markdown_cell(column.name) for column in columns],
        tablefmt="pipe",
        colalign=["left" if column.words else "right" for column in columns],
        disable_numparse=True,
    )


def document(run: Run, summary: pd.DataFrame, shown: Iterable[Shown] | None = None) -> str:
    """Return table.md: what the run answers, then every table, under the preamble and above the notes.

    Args:
        run, summary: a run and its summary.
        shown: what the parts make of it, where that has been made.
    """
    lines = ["# LSTM benchmarks", _list(preamble(run))]
    for answer in parts.answers(parts.made(Report(run, summary)) if shown is None else shown):
        lines += [f"## {markdown_cell(answer.title)}", markdown_cell(answer.sentence)]
        lines.append(table(answer.columns, answer.rows))
    for section in sections(summary, run.baseline):
        lines += [f"## {markdown_cell(section.title)}", table(section.columns_with_reason, section.rows)]
    return "\n\n".join([*lines, _list(notes(run))]) + "\n"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {markdown_cell(line)}" for line in lines)
