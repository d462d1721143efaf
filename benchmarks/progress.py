"""How far a command is, as a bar on a terminal, otherwise as a line each minute; and where its time went."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from benchmarks.tables import CleanConsole
from impls.core import command_line
from impls.core.text import one_line

LINE_SECONDS = 60.0
"""Without a terminal, a line comes at least this often, also while one thing takes long."""
TICK_SECONDS = 1.0
"""How often it is looked whether a line is due."""
SOON = 10.0
"""Before so many seconds, nothing is said of how much is left."""


class Stage(StrEnum):
    """What a command is doing. Its value is the word for it."""

    CHECKING = "checking"
    REPLICATE = "replicate"
    COMPARING = "comparing, replicate"
    MEASURING = "measuring, replicate"
    COLLECTING = "collecting, replicate"
    PROFILING = "profiling"


Advance = Callable[[Stage, str, float, float], None]
"""Gets the stage, what of it is being done, how much of it is done, and how much there is in all."""

RUN = {Stage.CHECKING: 0.35, Stage.REPLICATE: 0.65}
AGREEMENT = {Stage.CHECKING: 1.0}
REGRESSION = {Stage.CHECKING: 0.2, Stage.COMPARING: 0.6, Stage.MEASURING: 0.2, Stage.PROFILING: 0.0}
COLLECTING = {Stage.CHECKING: 0.05, Stage.COLLECTING: 0.95}

OPEN = (Stage.MEASURING, Stage.PROFILING)
"""The stages of a gate whose time nobody knows before they end: its replicates decide how many it takes."""


Show = Callable[[Stage, str, float, float | None], None]
"""Gets the stage, what is being done, the share of all that is done, and the seconds that are left, if known."""


@contextmanager
def progress(stages: dict[Stage, float] = RUN, name: str = "") -> Iterator[Advance]:
    """Show the progress of a command on stderr, and yield its `advance`.

    Args:
        stages: in order, each with its share of the time.
        name: of what is done, such as `round 1 of 6`; it comes after the stage.
    """
    console = CleanConsole(stderr=True)
    began, first_share = time.monotonic(), -1.0
    with _bar(console) if console.is_terminal else _lines() as show:

        def advance(stage: Stage, what: str, done: float, of_all: float) -> None:
            nonlocal first_share
            names = list(stages) if stage in stages else [stage]  # what is not foreseen ends nothing
            before = sum(stages[name] for name in names[: names.index(stage)])
            share = before + stages.get(stage, 0.0) * done / max(of_all, 1e-9)
            if first_share < 0:
                first_share = share  # a run that is resumed does not start at zero
            seconds, gained = time.monotonic() - began, share - first_share
            known = stage not in OPEN and seconds > SOON and gained > 0.05
            left = seconds * (1 - share) / gained if known else None
            show(stage, one_line(f"{stage} {what}".rstrip() + f", {name}" * bool(name)), share, left)

        yield advance


class Left(ProgressColumn):
    """The time that is left, which goes on while nothing is told; nothing after its end."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Return such as `about 1 min 5 s left`."""
        left = task.fields["end"] - time.monotonic()
        return Text(f"about {_minutes(left)} left" if left > 0 else "")


@contextmanager
def _bar(console: CleanConsole) -> Iterator[Show]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("after"),
        TimeElapsedColumn(),
        Left(),
    )
    with Progress(*columns, console=console, refresh_per_second=2) as bar:
        task = bar.add_task("starting", total=1.0, end=0.0)

        def show(_: Stage, what: str, share: float, left: float | None) -> None:
            end = 0.0 if left is None else time.monotonic() + left
            bar.update(task, description=what, completed=min(share, 0.999), end=end)  # at 1 its clock would stop

        yield show
        bar.update(task, description="done", completed=1.0, end=0.0)


@contextmanager
def _lines() -> Iterator[Show]:
    began = last_line = time.monotonic()
    last: tuple[Stage, str, float, float] | None = None
    ended = threading.Event()

    def say() -> None:
        nonlocal last_line
        now = time.monotonic()
        if last is not None and now - last_line >= LINE_SECONDS:
            last_line, (_, what, share, end) = now, last
            line = f"{what}: {share:.0%} after {_minutes(now - began)}"
            command_line.say(f"{line}, about {_minutes(end - now)} left" if end >= now else line, err=True)

    def say_again() -> None:
        while not ended.wait(TICK_SECONDS):
            say()

    def show(stage: Stage, what: str, share: float, left: float | None) -> None:
        nonlocal last, last_line
        if last is None or stage != last[0]:
            last_line = -math.inf
        last = stage, what, share, time.monotonic() + (-1.0 if left is None else left)
        say()

    thread = threading.Thread(target=say_again, daemon=True)
    thread.start()
    try:
        yield show
    finally:
        ended.set()
        thread.join()


def _minutes(seconds: float) -> str:
    return "{} min {} s".format(*divmod(round(seconds), 60))


class Stopwatch:
    """Seconds by purpose. The rest of the time was waiting."""

    PURPOSES = ("agreement", "cold first calls", "cold starts", "kernels", "warm starts", "measuring")

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.seconds = dict.fromkeys(self.PURPOSES, 0.0)

    @contextmanager
    def spent(self, purpose: str) -> Iterator[None]:
        """Count the time of the block for a purpose."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[purpose] += time.perf_counter() - start

    def line(self) -> str:
        """Return such as `5 min 12 s, of which agreement 4%, …, waiting 3%`."""
        total = time.perf_counter() - self.start
        waiting = total - sum(self.seconds.values())
        shares = ", ".join(f"{name} {s / total:.0%}" for name, s in {**self.seconds, "waiting": waiting}.items())
        return f"{int(total // 60)} min {total % 60:.0f} s, of which {shares}"
