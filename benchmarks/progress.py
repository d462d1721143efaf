"""How far a command is, as a bar on a terminal, otherwise as a line each minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import StrEnum

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.record import Record
from benchmarks.tables import CleanConsole
from impls.core import command_line
from impls.core.text import one_line

LINE_SECONDS = 60.0
"""Without a terminal, a line comes this often, also while one thing takes long."""
WHOLE = 1e9
"""Seconds: what is left follows from all that was done so far."""


class Stage(StrEnum):
    """What a command is doing. Its value is the word for it."""

    CHECKING = "checking"
    REPLICATE = "replicate"
    COMPARING = "comparing, replicate"
    MEASURING = "measuring, replicate"
    COLLECTING = "collecting, replicate"
    PROFILING = "profiling"
    COUNTING = "counting"


Advance = Callable[[Stage, str, float, float], None]
"""Gets the stage, what of it is being done, how much of it is done, and how much there is in all."""

RUN = {Stage.CHECKING: 0.35, Stage.REPLICATE: 0.65}
AGREEMENT = {Stage.CHECKING: 1.0}
REGRESSION = {Stage.CHECKING: 0.2, Stage.COMPARING: 0.6, Stage.MEASURING: 0.2}
PROFILING = {Stage.PROFILING: 1.0}
COLLECTING = {Stage.CHECKING: 0.05, Stage.COLLECTING: 0.95}


@contextmanager
def progress(stages: dict[Stage, float] = RUN, name: str = "") -> Iterator[Advance]:
    """Show the progress of a command on stderr, and yield its `advance`.

    Args:
        stages: in order, each with its share of the time.
        name: of what is done, such as `round 1 of 6`; it comes after the stage.
    """
    console, ended, told = CleanConsole(stderr=True), threading.Event(), list[Stage]()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("after"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    bar = Progress(
        *columns, console=console, refresh_per_second=2, speed_estimate_period=WHOLE, get_time=time.monotonic,
        disable=not console.is_terminal,
    )  # fmt: skip
    bar.add_task("starting", total=1.0)
    task = bar.tasks[0]

    def say() -> None:
        known = task.time_remaining and task.percentage >= 1  # what is slowest may come first
        left = f", about {_minutes(task.time_remaining or 0.0)} left" if known else ""
        after = _minutes(task.elapsed or 0.0)
        command_line.say(f"{task.description}: {task.percentage:.0f}% after {after}{left}", err=True)

    def say_on() -> None:
        while not ended.wait(LINE_SECONDS):
            if bar.disable:
                say()

    def advance(stage: Stage, what: str, done: float, of_all: float) -> None:
        before = sum(list(stages.values())[: list(stages).index(stage)])
        share = before + stages[stage] * done / max(of_all, 1e-9)
        words = one_line(f"{stage} {what}".rstrip() + f", {name}" * bool(name))
        bar.update(task.id, description=words, completed=min(share, 0.999))  # at 1 its clock would stop
        if bar.disable and stage not in told:
            told.append(stage)
            say()

    thread = threading.Thread(target=say_on, daemon=True)
    thread.start()
    shown: AbstractContextManager[object] = bar if console.is_terminal else nullcontext()
    try:
        with shown:
            yield advance
            bar.update(task.id, description="done", completed=1.0)
    finally:
        ended.set()
        thread.join()


def _minutes(seconds: float) -> str:
    return "{} min {} s".format(*divmod(round(seconds), 60))


def account(began: float, records: Iterable[Record]) -> str:
    """Return such as `5 min 12 s, of which measuring 33%`: since a time.time(), and how much of it was turns."""
    total = time.time() - began
    turns = (turn for row in records for turn in row.turns or () if (turn.started or 0.0) >= began)
    share = sum(turn.outside_seconds or 0.0 for turn in turns) / total
    return f"{_minutes(total)}, of which measuring {share:.0%}"
