"""Tables from lists of columns, on a terminal and in GitHub's Markdown, and the terminal on which they are shown."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console  # noqa: TID251 - CleanConsole is made of it
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from benchmarks.words import markdown_cell
from impls.core.text import one_line

Cell = Callable[[Any], str]
"""Gives the text of a row. A row is any object."""
ALWAYS = 99


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        key: its name in code and in the page's style sheet.
        name: its header.
        cell: gives the text of a row.
        words: whether it holds words, which stand to the left; numbers stand to the right.
        priority: on a narrow terminal, the column of least priority is left out first, one of ALWAYS never.
        sort: the attribute of a row that holds the number to sort by; None sorts by the text.
        breakable: whether a terminal may break its text over several lines.
        style: gives Rich's style of a cell on a terminal, empty for none.
        note: what it means; empty where its header says it.
    """

    key: str
    name: str
    cell: Cell
    words: bool = False
    priority: int = ALWAYS
    sort: str | None = None
    breakable: bool = True
    style: Cell | None = None
    note: str = ""


class CleanConsole(Console):
    """A console that shows all text that it is given as one_line does; line breaks and blanks at its start stay."""

    def __init__(self, **options: Any) -> None:
        super().__init__(emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return text as Rich shows it: whatever is printed, also in a table, comes by here."""
        start = text[: len(text) - len(text.lstrip(" \n"))]
        return super().render_str(start + one_line(text), **options)

    def say(self, line: str, style: str = "", **how: Any) -> None:
        """Print a line as it is, in one style."""
        self.print(line, style=style, markup=False, highlight=False, **how)


def output(width: int | None = None) -> CleanConsole:
    """Return standard output; where it is no terminal, it has this width."""
    is_terminal = CleanConsole().is_terminal
    return CleanConsole(width=None if is_terminal else width)


def fitting(
    columns: Sequence[Column],
    tables: Callable[[Sequence[Column]], Iterable[Table]],
    console: Console,
) -> Sequence[Column]:
    """Return the columns with which none of these tables breaks a cell; those of priority ALWAYS stay in any case."""
    for least in sorted({column.priority for column in columns}):
        shown = [column for column in columns if column.priority >= least]
        if all_fit(tables(shown), console):
            break
    return shown


def all_fit(tables: Iterable[Table], console: Console) -> bool:
    """Return whether every table fits without breaking a cell."""
    # otherwise no table measures wider than the console
    boundless = console.options.update(max_width=10_000)
    widths = [console.measure(table, options=boundless).maximum for table in tables]
    return max(widths, default=0) <= console.width


def terminal(
    columns: Sequence[Column], rows: Iterable[Any], title: str = "", style: Cell | None = None
) -> Table:
    """Return rows as a table for a terminal; every value is shown as it is.

    A row of None leaves a line blank. `style` gives Rich's style of a row, empty for none.
    """
    table = Table(
        title=escape(title), title_justify="left", title_style="bold", box=None, header_style="dim"
    )
    for column in columns:
        table.add_column(
            escape(column.name),
            justify="left" if column.words else "right",
            no_wrap=not column.breakable,
        )
    for row in rows:
        if row is None:
            table.add_row()
            continue
        cells = []
        for column in columns:
            cell = escape(column.cell(row))
            own_style = column.style(row) if column.style else ""
            cells.append(f"[{own_style}]{cell}[/]" if own_style else cell)
        table.add_row(*cells, style=style(row) if style else "")
    return table


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


def notes(columns: Iterable[Column]) -> list[str]:
    """Return a line on each column that has a note."""
    return [f"{column.name}: {column.note}" for column in columns if column.note]


def items(lines: Iterable[str]) -> str:
    """Return lines as a list in GitHub's Markdown; every line is shown as it is."""
    return "\n".join(f"- {markdown_cell(line)}" for line in lines)


def markdown_table(
    rows: Sequence[Sequence[object]], header: Sequence[str], numbers: bool = False
) -> str:
    """Return rows as a table in GitHub's Markdown; `numbers` has columns of numbers to the right."""
    from tabulate import tabulate  # here, so that a machine without it can still measure

    return tabulate(rows, headers=header, tablefmt="github", disable_numparse=not numbers)
