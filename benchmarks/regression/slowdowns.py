"""Where a slowdown is: in which operator or function.

Nothing here changes a verdict. Profiles are taken when all timing has ended, in workers of their own.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cases import Benchmark
from benchmarks.progress import Stage
from benchmarks.regression.decision import Finding, GateKey
from benchmarks.regression.log_ratios import SIDES
from benchmarks.runner.arm import start_all
from benchmarks.runner.session import Session
from benchmarks.worker import profiles
from benchmarks.worker.protocol import Request
from impls.core.operators import Ran
from impls.core.text import one_line
from impls.core.weights import draw_seed

PROFILES_PER_SIDE = 6
"""How often each side is profiled, in turns. The first profile does not count: a profiler starts slowly."""
MOST_LOCATED = 8
"""Of so many slowdowns it is found out where they are: that takes up to a minute for each."""
PROFILED_SECONDS = 0.1
"""About how long the calls of a profile take, on the slower side."""
LEAST_SHARE = 0.1
"""The share of a slowdown that a line must explain to be named."""
MOST_LINES = 6
"""The most lines of a profile that are shown."""


@dataclass(frozen=True)
class Line:
    """What an operator or a function does in a call, in base and in head: medians over profiles."""

    name: str
    base: Ran
    head: Ran

    @property
    def difference(self) -> float:
        """Head's seconds minus base's."""
        return self.head.seconds - self.base.seconds

    @property
    def more(self) -> bool:
        """Whether it runs more often in head."""
        return self.head.times > self.base.times


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


def largest(slower: Iterable[Finding]) -> list[Finding]:
    """Return the slowdowns that are explained: those in time; of many, the largest."""
    in_time = [finding for finding in slower if finding.metric == "time"]
    return sorted(in_time, key=lambda finding: -finding.ratio)[:MOST_LOCATED]


def locate(session: Session, slower: Sequence[Finding]) -> Iterator[tuple[GateKey, Slowdown]]:
    """Yield what is known of each of some slowdowns."""
    for number, finding in enumerate(slower):
        session.advance(Stage.PROFILING, f"{number + 1} of {len(slower)}", number, len(slower))
        added = finding.base * (finding.ratio - 1)
        lines: dict[str, list[Line]] = {}
        failure = ""
        try:
            base, head = profiles_of(session, finding)
            for kind in ("operators", "functions"):
                before = [getattr(profiled, kind) for profiled in base]
                now = [getattr(profiled, kind) for profiled in head]
                lines[kind] = differing(before, now, LEAST_SHARE * added)
        except Exception as error:  # whatever a profiler does, the verdict stands
            failure = one_line(f"{type(error).__name__}: {error}", 200)
        yield finding.benchmark, Slowdown(added, lines, failure)


def profiles_of(session: Session, finding: Finding) -> list[list[profiles.Profiled]]:
    """Profile base and head in turns, and return the profiles of each that count."""
    session.inputs = draw_seed()
    name = finding.benchmark.implementation
    benchmark = Benchmark.parse(finding.benchmark.benchmark)
    calls = max(1, round(PROFILED_SECONDS / max(finding.base, finding.head, 1e-6)))
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
    return [answers[side][2:] for side in SIDES]


def differing(
    base: Sequence[Mapping[str, Ran]], head: Sequence[Mapping[str, Ran]], least: float
) -> list[Line]:
    """Return the lines that differ by at least so many seconds in a call, the largest difference first.

    Noise moves times, but not how often something runs. So a line counts where it runs more often and takes longer, or
    less of both. Where that did not change, all times of head must lie above all of base, or all below.
    """
    lines = []
    for name in dict.fromkeys(name for profile in [*base, *head] for name in profile):
        before, now = (
            [profile.get(name, Ran(0.0, 0)) for profile in side] for side in (base, head)
        )
        line = Line(name, _median(before), _median(now))
        runs = direction([ran.times for ran in before], [ran.times for ran in now])
        seconds = direction([ran.seconds for ran in before], [ran.seconds for ran in now])
        if (runs * line.difference > 0 or seconds) and abs(line.difference) >= least:
            lines.append(line)
    return sorted(lines, key=lambda line: -abs(line.difference))[:MOST_LINES]


def direction(before: Sequence[float], now: Sequence[float]) -> int:
    """Return 1 where all of `now` lie above all of `before`, −1 where all lie below, otherwise 0."""
    return int(min(now) > max(before)) - int(max(now) < min(before))


def _median(did: Sequence[Ran]) -> Ran:
    return Ran(
        statistics.median(ran.seconds for ran in did), statistics.median(ran.times for ran in did)
    )
