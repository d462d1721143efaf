"""Admission, before any timing: the cold first call, agreement, how long a call takes, and sanity.

An arm is admitted to each benchmark separately. Where it fails, it gets its status and is not timed. Where its process
has died, it is started again for its other benchmarks.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from benchmarks.cases import Benchmark
from benchmarks.runner.arm import Arm, ArmFailed
from benchmarks.stopwatch import Stopwatch
from benchmarks.worker import kernels, requests
from impls.core.registry import Implementation
from impls.core.text import json_text, one_line


class Admission(msgspec.Struct, forbid_unknown_fields=True):
    """The result of the admission of an arm to a benchmark."""

    implementation: str
    benchmark: str
    status: str = "ok"
    reason: str = ""
    versions: str | None = None  # of the worker's environment
    error: float | None = None
    error_tensor: str | None = None
    first_call_seconds: float | None = None
    seconds: float | None = None  # roughly, of a call
    kernel: str | None = None  # which kernel ran


def refusal(implementation: Implementation, device: str, benchmark: Benchmark) -> ArmFailed | None:
    """Return the failure that an implementation's constants already give at a benchmark; None where they give none."""
    problem = benchmark.problem
    reason = implementation.lacks(device, problem.dtype, benchmark.workload, problem.lengths)
    return ArmFailed("unsupported", reason) if reason else None


def refused(name: str, benchmark: Benchmark, failure: ArmFailed) -> Admission:
    """Return the admission of an arm that is not tried at a benchmark."""
    return Admission(name, benchmark.id, failure.status, failure.reason)


def admit(
    arm: Arm,
    benchmark: Benchmark,
    opening: requests.Open,
    expected: Path,
    estimate_seconds: float,
    stopwatch: Stopwatch,
    name_kernel: bool = False,
) -> Admission:
    """Admit a running arm to a benchmark, or refuse it.

    Args:
        arm: the arm.
        benchmark: the benchmark.
        opening: the request that opens it.
        expected: the file with the reference's results.
        estimate_seconds: how long to measure roughly how long a call takes.
        stopwatch: counts the time that this takes.
        name_kernel: whether to find out which kernel runs.
    """
    admission = Admission(arm.name, benchmark.id, versions=arm.ready.versions if arm.ready else None)
    try:
        with stopwatch.spent("cold first calls"):
            opened = arm.ask(opening)
            admission.first_call_seconds = opened.first_call_seconds + opened.compiled_before_seconds
        with stopwatch.spent("agreement"):
            if not arm.implementation.is_floor:  # which computes no LSTM
                checked = arm.ask(requests.Check(benchmark.id, opening.inputs, str(expected)))
                admission.error, admission.error_tensor = checked.error, checked.tensor
            admission.seconds = arm.ask(requests.Estimate(benchmark.id, estimate_seconds))
            if not arm.implementation.is_floor:
                arm.ask(requests.Inspect(benchmark.id, admission.seconds))
            arm.check_from_outside()
        if name_kernel:
            try:
                with stopwatch.spent("kernels"):
                    admission.kernel = arm.ask(kernels.NameKernel(benchmark.id))
            except ArmFailed as failure:  # a profiler that fails is no fault of the implementation
                admission.kernel = one_line(f"not known: {failure.status}: {failure.reason}", 100)
        if arm.alive:
            arm.ask(requests.Close(benchmark.id))
    except ArmFailed as failure:
        admission.status, admission.reason = failure.status, failure.reason
    return admission


def dumps(admissions: Iterable[Admission]) -> str:
    """Return admissions as JSON."""
    return json_text(list(admissions))


def loads(text: str) -> list[Admission]:
    """Read what dumps wrote.

    Raises:
        ValueError: for anything else (msgspec's errors).
    """
    return msgspec.json.decode(text, type=list[Admission])
