"""The tables on a terminal. Columns that do not fit are left out, the least important ones first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from rich.table import Table

from benchmarks import tables
from benchmarks.tables import ALWAYS, CleanConsole, Column, all_fit
from benchmarks.words import count
from reports.headline import subject
from reports.preamble import notes, preamble
from reports.report import Report
from reports.tables import Section, is_ok, sections, style

STYLES = {"faster": "green", "slower": "red", "failed": "yellow", "baseline": "bold"}


def table_of(section: Section, shown: Sequence[Column]) -> Table:
    """Return a section's table with these columns; a blank row separates the tracks."""
    tracks = [list(rows) for _, rows in groupby(section.rows, lambda row: row.track)]
    rows = [row for k, mine in enumerate(tracks) for row in ([None, *mine] if k else mine)]
    return tables.terminal(shown, rows, section.title, lambda row: STYLES.get(style(row), ""))


def columns_that_fit(every: Sequence[Section], console: CleanConsole) -> Sequence[Column]:
    """Return the columns with which no table has to break a cell; those of priority ALWAYS stay in any case."""
    columns = every[0].columns if every else ()
    for least in [0, *sorted({column.priority + 1 for column in columns if column.priority < ALWAYS})]:
        shown = [column for column in columns if column.priority >= least]
        if all_fit((table_of(section, shown) for section in every), console):
            break
    return shown


def failures(hidden: Sequence[Section]) -> list[str]:
    """Return the failures in tables that are not shown: a line for each implementation and reason."""
    failed = [row for section in hidden for row in section.rows if not is_ok(row)]
    numbers = Counter((str(row.implementation), str(row.status), str(row.reason)) for row in failed)
    return [f"{name}, in {number} of them: {status}: {reason}" for (name, status, reason), number in numbers.items()]


def show(report: Report, console: CleanConsole, everything: bool = True) -> None:
    """Print tables, with the preamble above and the notes below; reasons of failures stand below their table.

    Without `everything` it is those tables that the headline is about, and the reasons of all failures.
    """

    def say(line: str, style: str = "dim") -> None:
        console.print(line, style=style, markup=False, highlight=False)

    for line in preamble(report.run):
        say(line)
    every = list(sections(report))
    about = subject(report.summary)
    chosen = [str(about[name].iloc[0]) for name in ("workload", "mode", "device")] if len(about) else []
    hidden = [] if everything or not chosen else [each for each in every if list(each.benchmark[1:]) != chosen]
    tables_shown = [each for each in every if each not in hidden]
    shown = columns_that_fit(tables_shown, console)
    for section in tables_shown:
        console.print()
        console.print(table_of(section, shown))
        for row in section.rows:
            if not is_ok(row):
                say(f" {row.implementation}: {row.reason}", STYLES["failed"])
    console.print()
    if hidden:
        say(f"{count(len(hidden), 'more table')}: python -m reports report DIR --show all, table.md or index.html.")
        for line in failures(hidden):
            say(f" {line}", STYLES["failed"])
    left_out = [column for column in every[0].columns if column not in shown]
    if left_out:
        names = ", ".join(column.name for column in sorted(left_out, key=lambda column: column.priority))
        say(f"Columns left out, to fit the width: {names}. table.md has all of them.")
    short = [f"unclear: we can't tell it from {report.baseline}. table.md explains the other words."]
    for line in (
        notes(report.run) if everything or not chosen else short
    ):  # so that the answer and a table fit on a screen
        say(line)
