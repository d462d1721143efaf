"""The tables on a terminal. Columns that do not fit are left out, the least important ones first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.columns import ALWAYS, Column
from benchmarks.terminal import all_fit
from benchmarks.words import count
from reports.columns import is_ok
from reports.frames import Run
from reports.headline import subject
from reports.preamble import notes, preamble
from reports.tables import Section, sections, style

STYLES = {"faster": "green", "slower": "red", "failed": "yellow", "baseline": "bold"}


def table_of(section: Section, shown: Sequence[Column]) -> Table:
    """Return a section's table with these columns; a blank row separates the tracks."""
    table = Table(title=escape(section.title), title_justify="left", title_style="bold", box=None, header_style="dim")
    for column in shown:
        justify = "left" if column.words else "right"
        table.add_column(escape(column.name), justify=justify, no_wrap=column is section.columns[0])  # type: ignore[arg-type]
    track = None
    for row in section.rows:
        if track not in (None, row.track):
            table.add_row()
        table.add_row(*(escape(column.cell(row)) for column in shown), style=STYLES.get(style(row), ""))
        track = row.track
    return table


def plain_table(shown: Sequence[Column], rows: Sequence[Any]) -> Table:
    """Return rows as a table with these columns."""
    table = Table(box=None, header_style="dim")
    for column in shown:
        table.add_column(escape(column.name), justify="left" if column.words else "right", no_wrap=column.words)
    for row in rows:
        table.add_row(*(escape(column.cell(row)) for column in shown))
    return table


def columns_that_fit(tables: Sequence[Section], console: Console) -> Sequence[Column]:
    """Return the columns with which no table has to break a cell; those of priority ALWAYS stay in any case."""
    columns = tables[0].columns if tables else ()
    for least in [0, *sorted({column.priority + 1 for column in columns if column.priority < ALWAYS})]:
        shown = [column for column in columns if column.priority >= least]
        if all_fit((table_of(section, shown) for section in tables), console):
            break
    return shown


def failures(hidden: Sequence[Section]) -> list[str]:
    """Return the failures in tables that are not shown: a line for each implementation and reason."""
    failed = [row for section in hidden for row in section.rows if not is_ok(row)]
    numbers = Counter((str(row.implementation), str(row.status), str(row.reason)) for row in failed)
    return [f"{name}, in {number} of them: {status}: {reason}" for (name, status, reason), number in numbers.items()]


def show(run: Run, summary: pd.DataFrame, console: Console, everything: bool = True) -> None:
    """Print tables, with the preamble above and the notes below; reasons of failures stand below their table.

    Args:
        run: the run.
        summary: its summary.
        console: where to print.
        everything: every table; otherwise those that the headline is about, and the reasons of all failures.
    """

    def say(line: str, style: str = "dim") -> None:
        console.print(line, style=style, markup=False, highlight=False)

    for line in preamble(run):
        say(line)
    every = list(sections(summary, run.baseline))
    about = subject(summary)
    chosen = [] if about.empty else [str(about[name].iloc[0]) for name in ("workload", "mode", "device")]
    if everything or not chosen:
        tables, hidden = every, []
    else:
        tables = [each for each in every if [each.workload, each.mode, each.device] == chosen]
        hidden = [each for each in every if [each.workload, each.mode, each.device] != chosen]
    shown = columns_that_fit(tables, console)
    for section in tables:
        console.print()
        console.print(table_of(section, shown))
        for row in section.rows:
            if not is_ok(row):
                say(f" {row.implementation}: {row.reason}", STYLES["failed"])
    console.print()
    if hidden:
        say(f"{count(len(hidden), 'more table')}: python -m reports build DIR --show all, table.md or index.html.")
        for line in failures(hidden):
            say(f" {line}", STYLES["failed"])
    left_out = [column for column in tables[0].columns if column not in shown]
    if left_out:
        names = ", ".join(column.name for column in sorted(left_out, key=lambda column: column.priority))
        say(f"Columns left out, to fit the width: {names}. table.md has all of them.")
    if everything or not chosen:
        for line in notes(run):
            say(line)
    else:  # so that the answer and a table fit on a screen
        say(f"unclear: we can't tell it from {run.baseline}. table.md explains the other words.")
