"""A table from a list of columns: on a terminal, and in GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from benchmarks.columns import Column
from benchmarks.words import markdown_cell


def terminal(
    columns: Sequence[Column], rows: Iterable[Any], title: str | None = None, style: Callable[[Any], str] | None = None
) -> Table:
    """Return rows as a table for a terminal; every value is shown as it is.

    Args:
        columns: the columns, from left to right.
        rows: what each column's `cell` takes. None leaves a line blank.
        title: stands above the table.
        style: gives Rich's style of a row, empty for none.
    """
    table = Table(
        title=escape(title) if title else None, title_justify="left", title_style="bold", box=None, header_style="dim"
    )
    for column in columns:
        table.add_column(escape(column.name), justify="left" if column.words else "right", no_wrap=not column.breakable)
    for row in rows:
        if row is None:
            table.add_row()
        else:
            table.add_row(*(_cell(column, row) for column in columns), style=style(row) if style else "")
    return table


def _cell(column: Column, row: Any) -> str:
    style, text = column.style(row) if column.style else "", escape(column.cell(row))
    return f"[{style}]{text}[/]" if style else text


def markdown(columns: Sequence[Column], rows: Iterable[Any]) -> str:
    """Return rows as a table in GitHub's Markdown; every value is shown as it is."""
    from tabulate import tabulate  # here, so that a machine without it can still measure

    return tabulate(
        [[markdown_cell(column.cell(row)) for column in columns] for row in rows],
        headers=[markdown_cell(column.name) for column in columns],
        tablefmt="pipe",
        colalign=["left" if column.words else "right" for column in columns],
        disable_numparse=True,
    )


def items(lines: Iterable[str]) -> str:
    """Return lines as a list in GitHub's Markdown; every line is shown as it is."""
    return "\n".join(f"- {markdown_cell(line)}" for line in lines)
