"""Where a regression is: in the first call or in all, in processor time or in waiting, in which operator or function.

For memory: in which step of opening a benchmark.

Nothing here changes a verdict. Profiles are taken when all timing has ended, in workers of their own.
"""

from __future__ import annotations

import functools
import math
import random
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from benchmarks.cases import Benchmark
from benchmarks.record import Record
from benchmarks.regression.decision import Finding
from benchmarks.regression.log_ratios import SIDES, key_of
from benchmarks.runner.arm import start_all
from benchmarks.runner.session import Session
from benchmarks.stages import Stage
from benchmarks.statistics.intervals import means, t_interval
from benchmarks.worker import agreement, profiling, requests
from benchmarks.worker.protocol import Request
from impls.core.text import one_line

PROFILES_PER_SIDE = 6
"""How often each side is profiled, in turns. The first profile does not count: a profiler starts slowly."""
OPENINGS_PER_SIDE = 5
"""How often a benchmark of each side is opened in a fresh process, in turns."""
MOST_LOCATED = 8
"""Of so many regressions it is found out where they are: that takes up to a minute for each."""
PROFILED_SECONDS = 0.1
"""About how long the calls of a profile take."""
MOST_LINES = 6
"""The most lines of a profile that are shown."""
UNCLEAR = math.nan, math.nan, math.nan
"""An interval of which nothing is known."""


@dataclass(frozen=True)
class Line:
    """A line of a profile, in base and in head: such as the own seconds per call of an operator or a function.

    clear: whether all of head's profiles are above all of base's, or all below.
    """

    name: str
    base: float
    head: float
    clear: bool = True

    @property
    def difference(self) -> float:
        """Head's value minus base's."""
        return self.head - self.base


Profiles = dict[str, list[Line]]
"""By kind, such as operators: the lines that differ most, the largest difference first."""


@dataclass(frozen=True)
class Slowdown:
    """What is known of where a regression is.

    added: how much longer a call, or the first call, takes, in seconds; how much more memory it takes, in bytes.
    cpu_seconds: how much more processor time it takes, all threads together: the mean, and the ends of its 95 %
        interval. NaN where unclear, and for memory.
    profiles: what differs. For memory: the bytes by which each step of opening the benchmark raises the peak, in the
        order of the steps.
    failure: why there is no profile.
    """

    added: float
    cpu_seconds: tuple[float, float, float] = UNCLEAR
    profiles: Profiles = field(default_factory=dict)
    failure: str = ""

    @property
    def kind(self) -> str:
        """What most of the added time is: `processor time`, `waiting`, or empty where that is unclear."""
        _, low, high = self.cpu_seconds
        if not self.added > 0:
            return ""
        return "processor time" if low >= self.added / 2 else "waiting" if high < self.added / 2 else ""


Located = dict[tuple[str, str], Slowdown]
"""What is known of a regression, by benchmark and metric."""
Openings = list[list[requests.Opened]]
"""What opening a benchmark takes: in base, and in head."""


def locate(session: Session, records: Sequence[Record], slower: Iterable[Finding]) -> Located:
    """Return what is known of each regression; of many, of those that are the largest.

    Args:
        session: the gate's, with base and head.
        records: all that the gate has measured.
        slower: the findings whose verdict is slower.
    """
    located: Located = {}
    findings = sorted(slower, key=lambda finding: -finding.ratio)[:MOST_LOCATED]
    explained = functools.cache(functools.partial(openings, session))  # for start and memory of a benchmark: once
    for number, finding in enumerate(findings):
        session.advance(Stage.PROFILING, "", number, len(findings))
        name, _, benchmark = finding.benchmark.rpartition(" ")
        added, cpu, failure = finding.head - finding.base, UNCLEAR, ""
        profiles: Profiles = {}
        try:
            if finding.metric == "time":
                added = finding.base * (finding.ratio - 1)
                cpu = added_cpu_seconds(record for record in records if key_of(record) == finding.benchmark)
                calls = max(1, round(PROFILED_SECONDS / max(finding.base, 1e-6)))
                profiles = profiles_of(session, name, Benchmark.parse(benchmark), calls)
            elif finding.metric == "start":
                cpu, functions = _of_first_call(added, explained(name, Benchmark.parse(benchmark)))
                profiles = {"functions of the first call": functions}
            else:
                peaks = [[opening.peaks for opening in side] for side in explained(name, Benchmark.parse(benchmark))]
                profiles = {"steps": [line_of(step, *peaks) for step in peaks[0][0]]}
        except Exception as error:  # whatever a profiler does, the verdict stands
            failure = one_line(f"{type(error).__name__}: {error}", 200)
        located[finding.benchmark, finding.metric] = Slowdown(added, cpu, profiles, failure)
    return located


def _of_first_call(seconds: float, opened: Openings) -> tuple[tuple[float, float, float], list[Line]]:
    """Return the processor time of a first call that takes longer by these seconds, and the functions that differ."""
    shares = []
    for base, head in zip(*opened, strict=True):
        longer = head.first_call_seconds - base.first_call_seconds  # with the profiler, as the processor time
        shares.append((head.first_call_cpu_seconds - base.first_call_cpu_seconds) / longer if longer > 0 else math.nan)
    mean, low, high = mean_of(shares)
    functions = differing(*([opening.functions for opening in side] for side in opened))
    return (mean * seconds, low * seconds, high * seconds), functions


def mean_of(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean of values and the ends of its 95 % interval; NaN where there are fewer than two."""
    if len(values) < 2:
        return UNCLEAR
    groups = means([np.array(values)])
    low, high = t_interval(groups)
    return float(groups.mean[0]), float(low[0]), float(high[0])


def added_cpu_seconds(rows: Iterable[Record]) -> tuple[float, float, float]:
    """Return how much more processor time a call takes in head: the mean over replicates, as `mean_of` does.

    Args:
        rows: a benchmark's rows of both sides.
    """
    replicates: dict[int, dict[str, float]] = defaultdict(dict)
    for row in rows:
        spent = [
            turn.cpu_seconds / (1 + len(turn.samples) * (row.calls_per_sample or 1))
            for turn in row.turns or ()
            if turn.samples and turn.cpu_seconds is not None
        ]
        if spent:
            replicates[row.replicate][str(row.side)] = statistics.median(spent)
    return mean_of([sides["head"] - sides["base"] for sides in replicates.values() if set(sides) == set(SIDES)])


def openings(session: Session, name: str, benchmark: Benchmark) -> Openings:
    """Open a benchmark of base and of head, each time in a fresh process.

    Raises:
        ArmFailed: where a side cannot be opened.
    """
    session.inputs = agreement.draw_seed()
    request = msgspec.structs.replace(session.opening(benchmark), profiled=True)
    return in_turns(session, name, [request] * OPENINGS_PER_SIDE, fresh=True)


def profiles_of(session: Session, name: str, benchmark: Benchmark, calls: int) -> Profiles:
    """Profile base and head, so many calls each time, and return the lines that differ most, by kind.

    Raises:
        ArmFailed: where a side cannot be profiled.
    """
    session.inputs = agreement.draw_seed()
    profile = profiling.Profile(benchmark.id, calls)
    asked: list[Request[Any]] = [session.opening(benchmark), *[profile] * PROFILES_PER_SIDE]
    taken = [answers[2:] for answers in in_turns(session, name, asked, fresh=False)]
    return {
        kind: differing(*([getattr(profiled, kind) for profiled in side] for side in taken))
        for kind in ("operators", "functions")
    }


def in_turns(session: Session, name: str, asked: Sequence[Request[Any]], fresh: bool) -> list[list[Any]]:
    """Return what base and head answer to each request; they take turns, and the first one changes each time.

    Args:
        session: the gate's.
        name: the implementation.
        asked: the requests to each side, one after the other.
        fresh: whether each request gets workers of its own.

    Raises:
        ArmFailed: where a side cannot answer.
    """
    answers: dict[str, list[Any]] = {side: [] for side in SIDES}
    try:
        for number, request in enumerate(asked):
            if fresh or not number:
                session.make_arms([name], random.Random())
                start_all([session.arms[side, name] for side in SIDES])
            for side in SIDES[:: 1 if number % 2 else -1]:
                session.arms[side, name].ensure_running()
                answers[side].append(session.arms[side, name].ask(request))
    finally:
        session.close()
    return [answers[side] for side in SIDES]


def differing(base: Sequence[dict[str, float]], head: Sequence[dict[str, float]]) -> list[Line]:
    """Return the lines that differ most between profiles of base and of head. A name's seconds are its median."""
    names = dict.fromkeys(name for profile in [*base, *head] for name in profile)
    lines = [line_of(name, base, head) for name in names]
    return sorted(lines, key=lambda line: -abs(line.difference))[:MOST_LINES]


def line_of(name: str, base: Sequence[dict[str, float]], head: Sequence[dict[str, float]]) -> Line:
    """Return a line of profiles of base and of head: the medians of a name, and whether they differ clearly."""
    before, now = ([profile.get(name, 0.0) for profile in side] for side in (base, head))
    clear = max(before) < min(now) or max(now) < min(before)
    return Line(name, statistics.median(before), statistics.median(now), clear)
