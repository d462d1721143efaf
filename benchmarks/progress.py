"""The progress of a command: a bar on a terminal, otherwise a line for each stage and each minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise

from rich.console import Console
from rich.progress import BarColumn, Progress, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from benchmarks.runner.session import Advance
from impls.core.text import one_line

RUN = {"checking": 0.35, "replicate": 0.65}
AGREEMENT = {"checking": 1.0}
REGRESSION = {"checking": 0.2, "comparing": 0.6, "measuring": 0.2, "profiling": 0.0}
COLLECTING = {"checking": 0.05, "collecting": 0.95}
"""The stages of each command, by the first word of what is being done, with about their shares of the time."""

OPEN = ("measuring", "profiling")
"""The stages of a gate whose time nobody knows before they end: its replicates decide how many it takes."""

LINE_SECONDS = 60.0
"""Without a terminal, a line comes at least this often."""

SOON = 10.0
"""Before so many seconds, nothing is said of how much is left."""

Report = Callable[[str, float, bool], None]
"""Gets what is being done, the share of everything that is done, and whether that tells how much time is left."""


@contextmanager
def progress(stages: Mapping[str, float] = RUN) -> Iterator[Advance]:
    """Yield the `advance` of a command whose stages come once."""
    with progress_in_parts([1.0]) as part:
        yield part(stages, "")


@contextmanager
def progress_in_parts(sizes: Sequence[float]) -> Iterator[Callable[[Mapping[str, float], str], Advance]]:
    """Show the progress of a command with several parts on stderr.

    Args:
        sizes: of the parts, in order: about how long each takes, in any unit.

    Yields:
        part(stages, name): a function that begins the next part and returns its `advance`. The name of a part comes
        after what is being done.
    """
    console = Console(stderr=True)
    ends = [0.0, *accumulate(sizes)]
    bounds = pairwise(end / ends[-1] for end in ends)
    with _bar(console) if console.is_terminal and sizes else _lines() as report:

        def part(stages: Mapping[str, float], name: str) -> Advance:
            start, end = next(bounds)

            def advance(what: str, done: float, of_all: float) -> None:
                stage = what.partition(" ")[0].rstrip(",")
                before = sum(list(stages.values())[: list(stages).index(stage)])
                share = before + stages[stage] * done / max(of_all, 1e-9)
                tells = bool(name) or stage not in OPEN
                report(one_line(f"{what}, {name}" if name else what), start + (end - start) * share, tells)

            return advance

        yield part


@contextmanager
def _bar(console: Console) -> Iterator[Report]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("after"),
        TimeElapsedColumn(),
        _Left(),
    )
    with Progress(*columns, console=console, speed_estimate_period=600, refresh_per_second=2) as bar:
        task = bar.add_task("starting", total=1.0, tells=False)

        def report(what: str, share: float, tells: bool) -> None:
            bar.update(task, description=what, completed=min(share, 0.999), tells=tells)  # at 1 its clock would stop

        yield report
        bar.update(task, description="done", completed=1.0, tells=False)


class _Left(TimeRemainingColumn):
    """About how much time is left, where that can be told."""

    def render(self, task: Task) -> Text:
        """Return it in words; nothing where it can't be told."""
        if not task.fields["tells"] or task.time_remaining is None or (task.elapsed or 0.0) < SOON:
            return Text("")
        return Text("about ") + super().render(task) + Text(" left")


@contextmanager
def _lines() -> Iterator[Report]:
    start = time.monotonic()
    last_stage, last_line, first_share = "", start, 0.0

    def report(what: str, share: float, tells: bool) -> None:
        nonlocal last_stage, last_line, first_share
        now, stage = time.monotonic(), what.partition(" ")[0]
        if not last_stage:
            first_share = share  # a run that is resumed does not start at zero
        if stage == last_stage and now - last_line < LINE_SECONDS:
            return
        last_stage, last_line = stage, now
        seconds, done = now - start, share - first_share
        left = (
            f", about {_minutes(seconds * (1 - share) / done)} left" if tells and seconds > SOON and done > 0.05 else ""
        )
        print(f"{what}: {share:.0%} after {_minutes(seconds)}{left}", file=sys.stderr, flush=True)

    yield report


def _minutes(seconds: float) -> str:
    return "{} min {} s".format(*divmod(round(seconds), 60))
