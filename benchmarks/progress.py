"""What a person sees while a run works: a bar, what is being done, the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

RUN = {"checking": 0.35, "replicate": 0.65}
REGRESSION = {"checking": 0.2, "screening": 0.6, "confirming": 0.2}
CALIBRATION = {"checking": 0.05, "collecting": 0.95, "screening": 0.0, "confirming": 0.0}
"""The stages of each command, by the first word of what is being done, and about which share of the time they take."""


@contextmanager
def progress(stages: Mapping[str, float] = RUN) -> Iterator[Callable[[str, float, float], None]]:
    """Gives advance(what, done, of all): where on the way of its stage the work is."""
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
            stage = what.partition(" ")[0].rstrip(",")
            before = sum(list(stages.values())[: list(stages).index(stage)])
            bar.update(task, description=what, completed=before + stages[stage] * done / of_all)

        yield advance
        bar.update(task, description="done", completed=1.0)
