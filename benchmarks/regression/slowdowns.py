"""Where a regression is: in the first call or in all, in processor time or in waiting, in which operator or function.

For memory: in which step of opening a benchmark.

Nothing here changes a verdict. Profiles are taken when all timing has ended, in workers of their own.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import random
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class Slowdown:
    """What is known of where a regression is.

    added: how much longer a call, or the first call, takes, in seconds; how much more memory it takes, in bytes.
    cpu_seconds: how much more processor time it takes, all threads together: the mean, and the ends of its 95 %
        interval. NaN where unclear, and for memory.
    profiles: by kind, such as operators: the lines that differ most, the largest difference first. For memory: the
        bytes by which each step of opening the benchmark raises the peak, in the order of the steps.
    failure: why there is no profile.
    """

    added: float
    cpu_seconds: tuple[float, float, float] = UNCLEAR
    profiles: dict[str, list[Line]] = field(default_factory=dict)
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
Openings = dict[str, list[requests.Opened]]
"""What opening a benchmark takes, by side."""


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
        slowdown = _unprofiled(records, finding)
        try:
            if finding.metric == "time":
                calls = max(1, round(PROFILED_SECONDS / max(finding.base, 1e-6)))
                profiled = profiles(session, name, Benchmark.parse(benchmark), calls)
                slowdown = dataclasses.replace(slowdown, profiles=profiled)
            elif finding.metric == "start":
                slowdown = _of_first_call(slowdown.added, explained(name, Benchmark.parse(benchmark)))
            else:
                opened = explained(name, Benchmark.parse(benchmark))
                peaks = [[opening.peaks for opening in opened[side]] for side in SIDES]
                steps = [line_of(step, *peaks) for step in peaks[0][0]]
                slowdown = dataclasses.replace(slowdown, profiles={"steps": steps})
        except Exception as error:  # whatever a profiler does, the verdict stands
            slowdown = dataclasses.replace(slowdown, failure=one_line(f"{type(error).__name__}: {error}", 200))
        located[finding.benchmark, finding.metric] = slowdown
    return located


def _unprofiled(records: Iterable[Record], finding: Finding) -> Slowdown:
    """Return what is known of a regression without another process."""
    if finding.metric != "time":
        return Slowdown(finding.head - finding.base)
    rows = [record for record in records if key_of(record) == finding.benchmark and record.status == "ok"]
    return Slowdown(finding.base * (finding.ratio - 1), added_cpu_seconds(rows))


def _of_first_call(seconds: float, opened: Openings) -> Slowdown:
    """Return what is known of a first call that takes longer by these seconds."""
    shares = []
    for base, head in zip(*(opened[side] for side in SIDES), strict=True):
        longer = head.first_call_seconds - base.first_call_seconds  # with the profiler, as the processor time
        shares.append((head.first_call_cpu_seconds - base.first_call_cpu_seconds) / longer if longer > 0 else math.nan)
    mean, low, high = mean_of(shares)
    functions = differing(*([opening.functions for opening in opened[side]] for side in SIDES))
    cpu = mean * seconds, low * seconds, high * seconds
    return Slowdown(seconds, cpu, {"functions of the first call": functions})


def mean_of(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean of values and the ends of its 95 % interval; NaN where there are fewer than two."""
    if len(values) < 2:
        return UNCLEAR
    groups = means([np.array(values)])
    low, high = t_interval(groups)
    return float(groups.mean[0]), float(low[0]), float(high[0])


def openings(session: Session, name: str, benchmark: Benchmark) -> Openings:
    """Open a benchmark of base and of head in turns, each time in a fresh process.

    Raises:
        ArmFailed: where a side cannot be opened.
    """
    session.inputs = agreement.draw_seed()
    taken: dict[str, list[requests.Opened]] = {side: [] for side in SIDES}
    opening = session.opening(benchmark)
    request = msgspec.structs.replace(opening, profiled=True)
    for number in range(OPENINGS_PER_SIDE):
        session.make_arms([name], random.Random())
        try:
            for side in SIDES[:: 1 if number % 2 else -1]:
                arm = session.arms[side, name]
                arm.ensure_running()
                taken[side].append(arm.ask(request))
        finally:
            session.close()
    return taken


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


def profiles(session: Session, name: str, benchmark: Benchmark, calls: int) -> dict[str, list[Line]]:
    """Profile base and head in turns, so many calls each, and return the lines that differ most, by kind.

    Raises:
        ArmFailed: where a side cannot be profiled.
    """
    session.inputs = agreement.draw_seed()
    taken: dict[str, list[profiling.Profiled]] = {side: [] for side in SIDES}
    session.make_arms([name], random.Random())
    try:
        start_all([session.arms[side, name] for side in SIDES])
        for side in SIDES:
            session.arms[side, name].ensure_running()
            session.arms[side, name].ask(session.opening(benchmark))
        for number in range(PROFILES_PER_SIDE):
            for side in SIDES[:: 1 if number % 2 else -1]:
                request = profiling.Profile(benchmark.id, calls)
                taken[side].append(session.arms[side, name].ask(request))
    finally:
        session.close()
    return {
        kind: differing(*([getattr(profiled, kind) for profiled in taken[side][1:]] for side in SIDES))
        for kind in ("operators", "functions")
    }


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
