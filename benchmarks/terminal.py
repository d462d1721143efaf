"""The terminal on which tables are shown: how wide it is, and what fits."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table


def output(width: int) -> Console:
    """Standard output; of that width where it is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=width)


def all_fit(tables: Iterable[Table], console: Console) -> bool:
    """Whether none of them would have to break a cell."""
    boundless = console.options.update(max_width=10_000)  # else no table measures more than there is
    return all(console.measure(table, options=boundless).maximum <= console.width for table in tables)
