"""Where a slowdown is: in the first call or in all, in processor time or in waiting, in which operator or function.

Nothing here changes a verdict. Profiles are taken when all timing has ended, in workers of their own.
"""

from __future__ import annotations

import math
import random
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.cases import Benchmark
from benchmarks.correctness import agreement
from benchmarks.measurement import protocol
from benchmarks.measurement.arm import start_all
from benchmarks.measurement.session import Session
from benchmarks.record import Record
from benchmarks.regression.decision import Finding
from benchmarks.regression.log_ratios import SIDES, key_of
from impls.core.text import one_line

PROFILES_PER_SIDE = 6
"""How often each side is profiled, in turns. The first profile does not count: a profiler starts slowly."""
PROFILED_SECONDS = 0.1
"""About how long the calls of a profile take."""
MOST_LINES = 6
"""The most lines of a profile that are shown."""


@dataclass(frozen=True)
class Line:
    """A line of a profile: the own seconds per call of an operator or a function, in base and in head."""

    name: str
    base: float
    head: float

    @property
    def difference(self) -> float:
        """Head's seconds minus base's."""
        return self.head - self.base


@dataclass(frozen=True)
class Slowdown:
    """What is known of a benchmark whose calls became slower.

    seconds: how much longer a call takes.
    cpu_seconds: how much more processor time it takes, all threads together; NaN where unknown.
    profiles: by kind, operators or functions: the lines that differ most, the largest difference first.
    failure: why there is no profile.
    """

    seconds: float
    cpu_seconds: float
    profiles: dict[str, list[Line]] = field(default_factory=dict)
    failure: str = ""

    @property
    def kind(self) -> str:
        """What most of the added time is: `processor time`, `waiting`, or empty where it is unknown."""
        if not (self.seconds > 0 and math.isfinite(self.cpu_seconds)):
            return ""
        return "processor time" if self.cpu_seconds >= self.seconds / 2 else "waiting"


def locate(session: Session, records: Sequence[Record], slower: Iterable[Finding]) -> dict[str, Slowdown]:
    """Return what is known of each slowdown, by benchmark.

    Args:
        session: the gate's, with base and head.
        records: all that the gate has measured.
        slower: the findings of time whose verdict is slower.
    """
    found, findings = {}, list(slower)
    for number, finding in enumerate(findings):
        session.advance("profiling", number, len(findings))
        rows = [record for record in records if key_of(record) == finding.benchmark and record.status == "ok"]
        seconds, cpu = finding.base * (finding.ratio - 1), added_cpu_seconds(rows)
        name, _, benchmark = finding.benchmark.rpartition(" ")
        calls = max(1, round(PROFILED_SECONDS / max(finding.base, 1e-6)))
        try:
            found[finding.benchmark] = Slowdown(
                seconds, cpu, profiles(session, name, Benchmark.parse(benchmark), calls)
            )
        except Exception as error:  # whatever a profiler does, the verdict stands
            reason = one_line(f"{type(error).__name__}: {error}", 200)
            found[finding.benchmark] = Slowdown(seconds, cpu, failure=reason)
    return found


def added_cpu_seconds(rows: Iterable[Record]) -> float:
    """Return how much more processor time a call takes in head: the median over replicates; NaN where unknown.

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
    both = [sides["head"] - sides["base"] for sides in replicates.values() if set(sides) == set(SIDES)]
    return statistics.median(both) if both else math.nan


def profiles(session: Session, name: str, benchmark: Benchmark, calls: int) -> dict[str, list[Line]]:
    """Profile base and head in turns, so many calls each, and return the lines that differ most, by kind.

    Raises:
        ArmFailed: where a side cannot be profiled.
    """
    inputs = agreement.draw_seed()
    taken: dict[str, list[protocol.Profiled]] = {side: [] for side in SIDES}
    session.make_arms([name], random.Random())
    try:
        start_all([session.arms[side, name] for side in SIDES])
        for side in SIDES:
            session.arms[side, name].ensure_running()
            session.arms[side, name].ask(session.configuration.opening(benchmark, inputs), protocol.Opened)
        for number in range(PROFILES_PER_SIDE):
            for side in SIDES[:: 1 if number % 2 else -1]:
                request = protocol.Profile(benchmark.id, calls)
                taken[side].append(session.arms[side, name].ask(request, protocol.Profiled))
    finally:
        session.close()
    return {
        "operators": differing(*([profiled.operators for profiled in taken[side][1:]] for side in SIDES)),
        "functions": differing(*([profiled.functions for profiled in taken[side][1:]] for side in SIDES)),
    }


def differing(base: Sequence[dict[str, float]], head: Sequence[dict[str, float]]) -> list[Line]:
    """Return the lines that differ most between profiles of base and of head. A name's seconds are its median."""
    names = dict.fromkeys(name for profile in [*base, *head] for name in profile)
    lines = [
        Line(name, *(statistics.median(profile.get(name, 0.0) for profile in side) for side in (base, head)))
        for name in names
    ]
    return sorted(lines, key=lambda line: -abs(line.difference))[:MOST_LINES]
