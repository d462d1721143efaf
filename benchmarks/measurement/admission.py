"""Before any timing, for each arm alone: agreement, the cold first call, the cross-checks, and how long a call takes.

An arm that fails at a benchmark gets its status there and is not timed there. Where its process has died, it is
started again for what it has left.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.cases import Benchmark
from benchmarks.correctness import agreement
from benchmarks.measurement.arm import Arm, ArmFailed
from benchmarks.stopwatch import Clock
from impls.core import weights as canonical


@dataclass
class Admission:
    """What the gate found of one arm on one benchmark."""

    implementation: str
    benchmark: str
    status: str = "ok"
    reason: str = ""
    error: float | None = None
    error_tensor: str | None = None
    first_call_seconds: float | None = None
    seconds: float | None = None


def write_expected(
    benchmarks: Iterable[Benchmark], seed: int, weights: str | None, folder: Path
) -> dict[tuple[str, str], Path]:
    """The oracle's results of every problem and workload, each in a file."""
    found: dict[tuple[str, str], Path] = {}
    given = canonical.read_weights(Path(weights))[1] if weights else {}
    for benchmark in benchmarks:
        key = benchmark.problem.id, benchmark.workload
        if key not in found:
            found[key] = folder / f"expected-{len(found)}.npz"
            arrays = canonical.complete(given, benchmark.job, benchmark.workload, seed)
            agreement.save_expected(found[key], benchmark.job, benchmark.workload, arrays)
    return found


def admit(
    arm: Arm,
    benchmark: Benchmark,
    seed: int,
    weights: str | None,
    expected: Path,
    clock: Clock,
    estimate_seconds: float,
) -> Admission:
    """Put one arm through the gate on one benchmark."""
    found = Admission(arm.name, benchmark.id)
    try:
        with clock.spent("cold first calls"):
            opened = arm.ask("open", benchmark=benchmark.id, seed=seed, weights=weights)
        found.first_call_seconds = opened["first_call_seconds"]
        with clock.spent("agreement"):
            if not arm.implementation.is_floor:  # which computes no LSTM
                checked = arm.ask("check", benchmark=benchmark.id, expected=str(expected))
                found.error, found.error_tensor = checked["error"], checked["tensor"]
            found.seconds = arm.ask("estimate", benchmark=benchmark.id, seconds=estimate_seconds)["seconds"]
            arm.ask("crosscheck", benchmark=benchmark.id, seconds=found.seconds)
            arm.ask("close", benchmark=benchmark.id)
    except ArmFailed as failure:
        found.status, found.reason = failure.status, failure.reason
    return found


def refuse(arm: Arm, benchmark: Benchmark) -> ArmFailed | None:
    """What the file's constants say against a benchmark, without starting anything."""
    reason = arm.implementation.lacks(arm.device, benchmark.problem.dtype, benchmark.workload)
    return ArmFailed("unsupported", reason) if reason else None


def pass_all(
    arm: Arm,
    benchmarks: list[Benchmark],
    admit_one: Callable[[Arm, Benchmark], Admission],
    clock: Clock,
    done: Callable[[Arm], None],
) -> list[Admission]:
    """Put one arm through the gate on every benchmark; its worker may be running already, and is left running."""
    found = []
    unable: ArmFailed | None = None  # what can't start once is not started for every benchmark
    for benchmark in benchmarks:
        failure = refuse(arm, benchmark) or unable
        if failure is None:
            try:
                with clock.spent("cold starts"):
                    arm.ensure_running()
            except ArmFailed as failed:
                failure = unable = failed
        if failure is None:
            found.append(admit_one(arm, benchmark))
        else:
            found.append(Admission(arm.name, benchmark.id, failure.status, failure.reason))
        done(arm)
    return found


def dumps(admissions: list[Admission]) -> str:
    """As gate.json keeps them."""
    return json.dumps([asdict(admission) for admission in admissions], indent=1) + "\n"


def loads(text: str) -> list[Admission]:
    """What dumps wrote."""
    return [Admission(**fields) for fields in json.loads(text)]
