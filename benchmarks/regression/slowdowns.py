"""Where a slowdown is: in which operator or function.

Nothing here changes a verdict. Profiles are taken when all timing has ended, in workers of their own.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cases import Benchmark
from benchmarks.progress import Stage
from benchmarks.regression.decision import Finding, GateKey
from benchmarks.regression.log_ratios import SIDES
from benchmarks.runner.arm import start_all
from benchmarks.runner.session import Session
from benchmarks.worker import agreement, profiles
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
    """The own seconds per call of an operator or a function, in base and in head: medians over profiles."""

    name: str
    base: float
    head: float

    @property
    def difference(self) -> float:
        """Head's value minus base's."""
        return self.head - self.base


@dataclass(frozen=True)
class Slowdown:
    """What is known of where a slowdown is.

    added: how much longer a call takes, in seconds.
    profiles: by kind (operators, functions) the lines that differ most, the largest difference first.
    failure: why there is no profile.
    """

    added: float
    profiles: Mapping[str, Sequence[Line]] = field(default_factory=dict)
    failure: str = ""


def locate(session: Session, slower: Iterable[Finding]) -> dict[GateKey, Slowdown]:
    """Return what is known of each slowdown in time, of findings whose verdict is slower; of many, the largest."""
    located: dict[GateKey, Slowdown] = {}
    in_time = sorted((finding for finding in slower if finding.metric == "time"), key=lambda finding: -finding.ratio)
    largest = in_time[:MOST_LOCATED]
    for number, finding in enumerate(largest):
        session.advance(Stage.PROFILING, "", number, len(largest))
        key, profiles, failure = finding.benchmark, dict[str, list[Line]](), ""
        calls = max(1, round(PROFILED_SECONDS / max(finding.base, 1e-6)))
        try:
            profiles = profiles_of(session, key.implementation, Benchmark.parse(key.benchmark), calls)
        except Exception as error:  # whatever a profiler does, the verdict stands
            failure = one_line(f"{type(error).__name__}: {error}", 200)
        located[key] = Slowdown(finding.base * (finding.ratio - 1), profiles, failure)
    return located


def profiles_of(session: Session, name: str, benchmark: Benchmark, calls: int) -> dict[str, list[Line]]:
    """Profile base and head in turns, so many calls each time, and return the lines that differ most, by kind."""
    session.inputs = agreement.draw_seed()
    profile = profiles.Profile(benchmark.id, calls)
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
    """Return the lines that differ most: all profiles of head are above all of base, or all below.

    Those that differ by less than a hundredth of the first are left out.
    """
    lines = []
    for name in dict.fromkeys(name for profile in [*base, *head] for name in profile):
        before, now = ([profile.get(name, 0.0) for profile in side] for side in (base, head))
        if max(before) < min(now) or max(now) < min(before):
            lines.append(Line(name, statistics.median(before), statistics.median(now)))
    lines = sorted(lines, key=lambda line: -abs(line.difference))[:MOST_LINES]
    return [line for line in lines if abs(line.difference) >= abs(lines[0].difference) / 100]
