"""A run's tables as files: table.md for GitHub, table.tex for a paper, and summary.csv."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from benchmarks import tables
from benchmarks.words import markdown_cell
from impls.core.text import one_line
from reports import parts
from reports.frames import Run
from reports.preamble import notes, preamble
from reports.report import Report, Shown
from reports.tables import Section, sections


def markdown(run: Run, summary: pd.DataFrame, shown: Iterable[Shown] | None = None) -> str:
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


FORMULA = ("=", "+", "-", "@")
"""The signs with which a formula starts."""


def csv_cell(value: object) -> object:
    """Return a value for a cell of CSV: text is on one line, and no program of tables takes it for a formula."""
    if not isinstance(value, str):
        return value
    shown = one_line(value)
    return f"'{shown}" if shown.startswith(FORMULA) else shown


def csv(summary: pd.DataFrame) -> str:
    """Return summary.csv."""
    return summary.astype(object).map(csv_cell).to_csv(index=False, lineterminator="\n")


SIGNS = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "×": r"$\times$",
        "µ": r"\textmu{}",
        "–": "--",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "[": "{[}",  # at the start of a row LaTeX would take it for an argument of the row before
        "]": "{]}",
    }
)
"""The signs that LaTeX would take for markup, or that its standard fonts do not have."""


def _tex(text: str) -> str:
    """Return text for LaTeX, on one line."""
    return one_line(text).translate(SIGNS)


def table_latex(section: Section) -> str:
    """Return one benchmark's table for booktabs, with its caption above it."""
    columns = section.columns_with_reason
    cells = [[_tex(column.cell(row)) for column in columns] for row in section.rows]
    texts = pd.DataFrame(cells, columns=[_tex(column.name) for column in columns])
    alignment = "".join("l" if column.words else "r" for column in columns)
    return texts.to_latex(index=False, escape=False, column_format=alignment, caption=_tex(section.title))


def latex(run: Run, every: Sequence[Section]) -> str:
    """Return table.tex: every table, to be \\input; the preamble is in comments."""
    lines = [f"% {one_line(line)}" for line in preamble(run)]
    return "\n".join(["% needs \\usepackage{booktabs,textcomp}", *lines, "", *map(table_latex, every)])
