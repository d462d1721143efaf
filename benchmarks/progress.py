"""How far a command is, as a bar on a terminal, otherwise as a line each minute."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import accumulate

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

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

AGREEMENT = {Stage.CHECKING: 1.0}
REGRESSION = {Stage.CHECKING: 0.2, Stage.COMPARING: 0.6, Stage.MEASURING: 0.2}
PROFILING = {Stage.PROFILING: 1.0}
COLLECTING = {Stage.CHECKING: 0.05, Stage.COLLECTING: 0.95}


class Left(ProgressColumn):
    """How much time is left. In Stage.MEASURING it is the most: nobody knows how many of the replicates are needed."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True))
        self.began = 0.0
        self.latest_end: float | None = None

    def advance(self, stage: Stage, done: float, of_all: float) -> None:
        """Learn how much is done. From the mean replicate follows when the last one ends: later ones measure less."""
        now = time.monotonic()
        if stage == Stage.COMPARING and done == 0:
            self.began = now
        # to start a replicate takes longer than the rest of it
        elif stage == Stage.MEASURING and done == int(done):
            self.latest_end = now + (now - self.began) / done * (of_all - done)

    def words(self, task: Task) -> str:
        """Return such as `about 1 min 30 s left`; empty where that is not known."""
        if self.latest_end is not None:
            return f"at most about {_minutes(max(0.0, self.latest_end - time.monotonic()))} left"
        # what is slowest may come first
        if not task.time_remaining or task.percentage < 1:
            return ""
        return f"about {_minutes(task.time_remaining)} left"

    def render(self, task: Task) -> Text:
        """Return the words for a terminal."""
        return Text(self.words(task))


@contextmanager
def progress(stages: dict[Stage, float], name: str = "") -> Iterator[Advance]:
    """Show the progress of a command on stderr, and yield its `advance`.

    Args:
        stages: in order, each with its share of the time.
        name: of what is done, such as `round 1 of 6`; it comes after the stage.
    """
    console = CleanConsole(stderr=True)
    left = Left()
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        left,
        console=console,
        refresh_per_second=2,
        speed_estimate_period=WHOLE,
        get_time=time.monotonic,
    )
    bar.add_task("starting", total=1.0)
    task = bar.tasks[0]
    starts = dict(zip(stages, accumulate(stages.values(), initial=0.0), strict=False))
    announced: set[Stage] = set()
    ended = threading.Event()

    def say() -> None:
        parts = [f"after {_minutes(task.elapsed or 0.0)}", left.words(task)]
        times = ", ".join(filter(None, parts))
        command_line.say(f"{task.description}: {task.percentage:.0f}% {times}", err=True)

    def say_on() -> None:
        while not ended.wait(LINE_SECONDS):
            say()

    def advance(stage: Stage, what: str, done: float, of_all: float) -> None:
        left.advance(stage, done, of_all)
        share = starts[stage] + stages[stage] * done / of_all
        words = ", ".join(filter(None, (f"{stage} {what}".rstrip(), name)))
        # at 1 its clock would stop
        bar.update(task.id, description=one_line(words), completed=min(share, 0.999))
        if not console.is_terminal and stage not in announced:
            announced.add(stage)
            say()

    if console.is_terminal:
        with bar:
            yield advance
            bar.update(task.id, description="done", completed=1.0)
        return
    thread = threading.Thread(target=say_on, daemon=True)
    thread.start()
    try:
        yield advance
    finally:
        ended.set()
        thread.join()


def _minutes(seconds: float) -> str:
    return "{} min {} s".format(*divmod(round(seconds), 60))


def account(began: float, records: Iterable[Record]) -> str:
    """Return such as `5 min 12 s: checking 25 %, starting 30 %, measuring 45 %`, of the time since a time.time().

    Measuring is all turns, checking what was done before the first of them, and starting the rest: mostly, workers
    import their frameworks and prepare what they time.
    """
    now = time.time()
    turns = [turn for row in records for turn in row.turns or () if (turn.started or 0.0) >= began]
    first = min((turn.started or now for turn in turns), default=now)
    measuring = sum(turn.outside_seconds or 0.0 for turn in turns)
    parts = {
        Stage.CHECKING: first - began,
        "starting": now - first - measuring,
        "measuring": measuring,
    }
    shares = ", ".join(f"{name} {seconds / (now - began):.0%}" for name, seconds in parts.items())
    return f"{_minutes(now - began)}: {shares.replace('%', ' %')}"
