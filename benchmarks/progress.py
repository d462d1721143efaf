"""The progress of a command: a bar on a terminal, otherwise a line for each stage and each minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from impls.core.text import one_line

RUN = {"checking": 0.35, "replicate": 0.65}
AGREEMENT = {"checking": 1.0}
REGRESSION = {"checking": 0.2, "comparing": 0.6, "measuring": 0.2, "profiling": 0.0}
CALIBRATION = {"sizing": 0.0, "checking": 0.05, "collecting": 0.95, "comparing": 0.0, "measuring": 0.0}
"""The stages of each command, by the first word of what is being done, with about their shares of the time."""

LINE_SECONDS = 60.0
"""Without a terminal, a line comes at least this often."""

Report = Callable[[str, float], None]
"""A function that gets what is being done, and the share of everything that is done."""


@contextmanager
def progress(stages: Mapping[str, float] = RUN) -> Iterator[Callable[[str, float, float], None]]:
    """Yield advance(what, done, of_all), which shows the progress on stderr."""
    console = Console(stderr=True)
    with _bar(console) if console.is_terminal else _lines() as report:

        def advance(what: str, done: float, of_all: float) -> None:
            stage = what.partition(" ")[0].rstrip(",")
            before = sum(list(stages.values())[: list(stages).index(stage)])
            report(one_line(what), before + stages[stage] * done / max(of_all, 1e-9))

        yield advance


@contextmanager
def _bar(console: Console) -> Iterator[Report]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, speed_estimate_period=600, refresh_per_second=2) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)
        bar.update(task, description="done", completed=1.0)


@contextmanager
def _lines() -> Iterator[Report]:
    start = time.monotonic()
    last_stage, last_line, first_share = "", start, 0.0

    def report(what: str, share: float) -> None:
        nonlocal last_stage, last_line, first_share
        now, stage = time.monotonic(), what.partition(" ")[0]
        if not last_stage:
            first_share = share  # a run that is resumed does not start at zero
        if stage == last_stage and now - last_line < LINE_SECONDS:
            return
        last_stage, last_line = stage, now
        seconds, done = now - start, share - first_share
        left = f", about {_minutes(seconds * (1 - share) / done)} left" if seconds > 10 and done > 0.05 else ""
        print(f"{what}: {share:.0%} after {_minutes(seconds)}{left}", file=sys.stderr, flush=True)

    yield report


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)} min {seconds % 60:.0f} s"
