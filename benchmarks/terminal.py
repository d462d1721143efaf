"""The terminal on which tables are shown: what may reach it, its width, and whether tables fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from impls.core.text import one_line


class CleanConsole(Console):
    """A console that shows all text that it is given as one_line does; line breaks and blanks at its start stay."""

    def __init__(self, **options: Any) -> None:
        super().__init__(emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return text as Rich shows it: whatever is printed, also in a table, comes by here."""
        start = text[: len(text) - len(text.lstrip(" \n"))]
        return super().render_str(start + one_line(text), **options)


def output(width: int | None = None) -> Console:
    """Return standard output; where it is no terminal, it has this width."""
    console = CleanConsole()
    return console if console.is_terminal or width is None else CleanConsole(width=width)


def all_fit(tables: Iterable[Table], console: Console) -> bool:
    """Return whether every table fits without breaking a cell."""
    boundless = console.options.update(max_width=10_000)  # otherwise no table measures wider than the console
    return all(console.measure(table, options=boundless).maximum <= console.width for table in tables)
