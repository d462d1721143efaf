"""The terminal on which tables are shown: its width, and whether tables fit."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table


def output(width: int) -> Console:
    """Return standard output; where it is no terminal, it has this width."""
    console = Console()
    return console if console.is_terminal else Console(width=width)


def all_fit(tables: Iterable[Table], console: Console) -> bool:
    """Return whether every table fits without breaking a cell."""
    boundless = console.options.update(max_width=10_000)  # otherwise no table measures wider than the console
    return all(console.measure(table, options=boundless).maximum <= console.width for table in tables)
