"""The tables in GitHub's Markdown: table.md."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from benchmarks import tables
from benchmarks.words import markdown_cell
from reports import parts
from reports.frames import Run
from reports.parts import Shown
from reports.preamble import notes, preamble
from reports.report import Report
from reports.tables import sections


def document(run: Run, summary: pd.DataFrame, shown: Iterable[Shown] | None = None) -> str:
    """Return table.md: what the run answers, then every table, under the preamble and above the notes.

    Args:
        run, summary: a run and its summary.
        shown: what the parts make of it, where that has been made.
    """
    lines = ["# LSTM benchmarks", tables.items(preamble(run))]
    for answer in parts.answers(parts.made(Report(run, summary)) if shown is None else shown):
        lines += [f"## {markdown_cell(answer.title)}", markdown_cell(answer.sentence)]
        lines.append(tables.markdown(answer.columns, answer.rows))
    for section in sections(summary, run.baseline):
        lines += [f"## {markdown_cell(section.title)}", tables.markdown(section.columns_with_reason, section.rows)]
    return "\n\n".join([*lines, tables.items(notes(run))]) + "\n"
