"""What a person sees while a run works: a bar, what is being done, the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

GATE_SHARE = 0.35
"""Of a run's time, about, that passes before the first replicate."""


@contextmanager
def progress() -> Iterator[Callable[[str, float, float], None]]:
    """Gives advance(what, done, of all): where on the way the gate or the replicates are."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, speed_estimate_period=600, refresh_per_second=2, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("starting", total=1.0)

        def advance(what: str, done: float, of_all: float) -> None:
            part = done / of_all
            part = GATE_SHARE * part if what.startswith("checking") else GATE_SHARE + (1 - GATE_SHARE) * part
            bar.update(task, description=what, completed=part)

        yield advance
        bar.update(task, description="done", completed=1.0)
