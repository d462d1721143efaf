"""Where a slowdown is: in processor time or in waiting, in which operator or function.

Nothing here changes a verdict. Profiles are taken when all timing has ended, in workers of their own.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.cases import Benchmark
from benchmarks.progress import Stage
from benchmarks.record import Record
from benchmarks.regression.decision import Finding, GateKey
from benchmarks.regression.log_ratios import SIDES, key_of
from benchmarks.runner.arm import start_all
from benchmarks.runner.session import Session
from benchmarks.statistics.intervals import means, t_interval
from benchmarks.worker import agreement, profiling
from benchmarks.worker.protocol import Request
from impls.core.text import one_line

PROFILES_PER_SIDE = 6
"""How often each side is profiled, in turns. The first profile does not count: a profiler starts slowly."""
MOST_LOCATED = 8
"""Of so many slowdowns it is found out where they are: that takes up to a minute for each."""
PROFILED_SECONDS = 0.1
"""About how long the calls of a profile take."""
MOST_LINES = 6
"""The most lines of a profile that are shown."""


@dataclass(frozen=True)
class Line:
    """The own seconds per call of an operator or a function, in base and in head: medians over profiles.

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
    """What is known of where a slowdown is.

    added: how much longer a call takes, in seconds.
    cpu_seconds: how much more processor time it takes, all threads together: the mean, and the ends of its 95 %
        interval. NaN where unclear.
    profiles: by kind (operators, functions) the lines that differ most, the largest difference first.
    failure: why there is no profile.
    """

    added: float
    cpu_seconds: tuple[float, float, float] = (math.nan, math.nan, math.nan)
    profiles: Mapping[str, Sequence[Line]] = field(default_factory=dict)
    failure: str = ""

    @property
    def kind(self) -> str:
        """What most of the added time is: `processor time`, `waiting`, or empty where that is unclear."""
        _, low, high = self.cpu_seconds
        if not self.added > 0:
            return ""
        return "processor time" if low >= self.added / 2 else "waiting" if high < self.added / 2 else ""


def locate(session: Session, records: Sequence[Record], slower: Iterable[Finding]) -> dict[GateKey, Slowdown]:
    """Return what is known of each slowdown in time; of many, of those that are the largest.

    `records` are all that the gate has measured, and `slower` the findings whose verdict is slower.
    """
    located: dict[GateKey, Slowdown] = {}
    in_time = sorted((finding for finding in slower if finding.metric == "time"), key=lambda finding: -finding.ratio)
    largest = in_time[:MOST_LOCATED]
    for number, finding in enumerate(largest):
        session.advance(Stage.PROFILING, "", number, len(largest))
        key, profiles, failure = finding.benchmark, dict[str, list[Line]](), ""
        cpu = added_cpu_seconds(record for record in records if key_of(record) == key)
        calls = max(1, round(PROFILED_SECONDS / max(finding.base, 1e-6)))
        try:
            profiles = profiles_of(session, key.implementation, Benchmark.parse(key.benchmark), calls)
        except Exception as error:  # whatever a profiler does, the verdict stands
            failure = one_line(f"{type(error).__name__}: {error}", 200)
        located[key] = Slowdown(finding.base * (finding.ratio - 1), cpu, profiles, failure)
    return located


def added_cpu_seconds(rows: Iterable[Record]) -> tuple[float, float, float]:
    """Return how much more processor time a call takes in head: the mean over replicates, and its 95 % interval.

    The rows are a benchmark's, of both sides. All are NaN where there are fewer than two replicates.
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
    added = [sides["head"] - sides["base"] for sides in replicates.values() if set(sides) == set(SIDES)]
    if len(added) < 2:
        return math.nan, math.nan, math.nan
    groups = means([np.array(added)])
    low, high = t_interval(groups)
    return float(groups.mean[0]), float(low[0]), float(high[0])


def profiles_of(session: Session, name: str, benchmark: Benchmark, calls: int) -> dict[str, list[Line]]:
    """Profile base and head in turns, so many calls each time, and return the lines that differ most, by kind."""
    session.inputs = agreement.draw_seed()
    profile = profiling.Profile(benchmark.id, calls)
    answers: dict[str, list[Any]] = {side: [] for side in SIDES}
    with session:
        session.make_arms([name])
        start_all([session.arms[side, name] for side in SIDES])
        requests: list[Request[Any]] = [session.opening(benchmark), *[profile] * PROFILES_PER_SIDE]
        for number, request in enumerate(requests):
            for side in SIDES[:: 1 if number % 2 else -1]:
                session.arms[side, name].ensure_running()
                answers[side].append(session.arms[side, name].ask(request))
    return {
        kind: differing(*([getattr(profiled, kind) for profiled in answers[side][2:]] for side in SIDES))
        for kind in ("operators", "functions")
    }


def differing(base: Sequence[dict[str, float]], head: Sequence[dict[str, float]]) -> list[Line]:
    """Return the lines that differ most between profiles of base and of head."""
    lines = []
    for name in dict.fromkeys(name for profile in [*base, *head] for name in profile):
        before, now = ([profile.get(name, 0.0) for profile in side] for side in (base, head))
        clear = max(before) < min(now) or max(now) < min(before)
        lines.append(Line(name, statistics.median(before), statistics.median(now), clear))
    return sorted(lines, key=lambda line: -abs(line.difference))[:MOST_LINES]
