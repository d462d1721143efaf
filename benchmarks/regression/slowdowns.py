"""Where a slowdown is: in which operator or function.

Nothing here changes a verdict. Profiles are taken when all timing has ended, in workers of their own.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.cases import Benchmark
from benchmarks.progress import Stage
from benchmarks.regression.decision import GateKey
from benchmarks.regression.findings import Finding
from benchmarks.runner.arm import start_all
from benchmarks.runner.session import Session
from benchmarks.worker.profiles import Profile, Profiled
from impls.core.operators import Ran
from impls.core.text import one_line
from impls.core.weights import draw_seed

PROFILES_PER_SIDE = 5
"""How often each side is profiled, in turns, after a warm-up."""
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


@dataclass(frozen=True)
class Slowdown:
    """Where a slowdown is.

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
    """Yield where each of some slowdowns is."""
    for number, finding in enumerate(slower):
        session.advance(Stage.PROFILING, f"{number + 1} of {len(slower)}", number, len(slower))
        added = finding.base * (finding.ratio - 1)
        lines: dict[str, list[Line]] = {}
        failure = ""
        try:
            base, head = profiles_of(session, finding)
            for kind in ("operators", "functions"):
                before = [getattr(profile, kind) for profile in base]
                now = [getattr(profile, kind) for profile in head]
                lines[kind] = differing(before, now, LEAST_SHARE * added)
        except Exception as error:  # whatever a profiler does, the verdict stands
            failure = one_line(f"{type(error).__name__}: {error}", 200)
        yield finding.benchmark, Slowdown(added, lines, failure)


def profiles_of(session: Session, finding: Finding) -> tuple[list[Profiled], list[Profiled]]:
    """Profile base and head in turns, and return the profiles of each."""
    session.inputs = draw_seed()
    name = finding.benchmark.implementation
    benchmark = Benchmark.parse(finding.benchmark.benchmark)
    calls = max(1, round(PROFILED_SECONDS / max(finding.base, finding.head, 1e-6)))
    profile = Profile(benchmark.id, calls)
    profiles: dict[str, list[Profiled]] = {"base": [], "head": []}
    with session:
        session.make_arms([name])
        arms = {"base": session.arms["base", name], "head": session.arms["head", name]}
        start_all([*arms.values()])
        for arm in arms.values():
            arm.ensure_running()
            arm.ask(session.opening(benchmark))
            arm.ask(profile)  # a warm-up: a profiler starts slowly
        for number in range(PROFILES_PER_SIDE):
            order = arms if number % 2 else reversed(arms)
            for side in order:
                profiles[side].append(arms[side].ask(profile))
    return profiles["base"], profiles["head"]


def differing(
    base: Sequence[Mapping[str, Ran]], head: Sequence[Mapping[str, Ran]], least: float
) -> list[Line]:
    """Return the lines that differ by at least so many seconds in a call, the largest difference first.

    Noise moves times, but not how often something runs. So a line counts where it runs more often and takes longer, or
    less of both. Where that did not change, all times of head must lie above all of base, or all below.
    """
    lines = []
    for name in dict.fromkeys(itertools.chain(*base, *head)):
        before = np.array([profile.get(name, (0.0, 0)) for profile in base])
        now = np.array([profile.get(name, (0.0, 0)) for profile in head])
        line = Line(name, Ran(*np.median(before, axis=0)), Ran(*np.median(now, axis=0)))
        seconds, times = direction(before, now)
        if (times * line.difference > 0 or seconds) and abs(line.difference) >= least:
            lines.append(line)
    return sorted(lines, key=lambda line: -abs(line.difference))[:MOST_LINES]


def direction(before: np.ndarray, now: np.ndarray) -> list[int]:
    """Return for each column 1 where all rows of `now` lie above all of `before`, −1 where all lie below, else 0."""
    above = now.min(axis=0) > before.max(axis=0)
    below = now.max(axis=0) < before.min(axis=0)
    return [*(above.astype(int) - below)]
