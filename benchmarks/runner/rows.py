"""The rows of a replicate before they are measured."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from benchmarks.cases import Benchmark
from benchmarks.options import Options
from benchmarks.record import UNTRUE, Record, problem_fields
from benchmarks.runner import plausible
from benchmarks.runner.admission import Admission
from benchmarks.runner.arm import ArmFailed
from impls.core.registry import Implementation
from impls.core.versions import distributions, versions_of


def new_row(
    options: Options,
    implementation: Implementation,
    benchmark: Benchmark,
    admission: Admission,
    failure: ArmFailed | None,
    *,
    side: str | None,
    replicate: int,
    input_seed: int,
) -> Record:
    """Return a row with everything that is known before it is measured.

    Args:
        options: the session's options.
        implementation: the implementation of the arm.
        benchmark: the benchmark.
        admission: the arm's admission to the benchmark.
        failure: how the arm has failed in an earlier replicate; None where it has not.
        side, replicate, input_seed: the fields of these names.
    """
    return Record(
        side=side,
        run_id=options.run_id,
        implementation=implementation.name,
        track=implementation.track,
        versions=admission.versions or _versions_unstarted(implementation),
        digest=implementation.digest,
        **problem_fields(benchmark.problem),
        workload=benchmark.workload,
        mode=benchmark.mode,
        device=options.device,
        threads=options.threads,
        replicate=replicate,
        input_seed=input_seed,
        status=failure.status if failure else admission.status,
        reason=failure.reason if failure else admission.reason,
        error=admission.error,
        error_tensor=admission.error_tensor,
        kernel=admission.kernel,
        first_call_seconds=admission.first_call_seconds,
    )


def forget_times(row: Record) -> None:
    """Remove from a row all that was measured in its replicate."""
    row.turns = row.seconds = row.cores_used = row.peak_bytes = row.warm_first_call_seconds = None
    row.pipelined_seconds = row.gpu_seconds = row.gpu_kernels = None


def below_floor(rows: Sequence[Record]) -> list[tuple[Record, ArmFailed]]:
    """Return the rows of a replicate whose time cannot be true beside the floor's quickest, each with its failure."""
    floors = {row.benchmark: _least(row) for row in rows if row.implementation == "floor"}
    reasons = [(row, plausible.below_floor(row.seconds, floors.get(row.benchmark))) for row in rows]
    return [(row, ArmFailed("error", reason)) for row, reason in reasons if reason and row.status == "ok"]


def _least(row: Record) -> float | None:
    """Return the seconds of a row's quickest sample: on a disturbed machine, the median may be twenty times as long."""
    return min((min(turn.samples or [turn.seconds]) for turn in row.turns or ()), default=None)


def withdraw(rows: Sequence[Record]) -> None:
    """Where an arm disagreed or went wrong in any replicate, give all its rows at that benchmark this failure."""
    key = attrgetter("side", "implementation", "benchmark")
    failed = {key(row): row for row in reversed(rows) if row.status in UNTRUE}
    for row in rows:
        if row.status == "ok" and key(row) in failed:
            row.status, row.reason = failed[key(row)].status, failed[key(row)].reason
            forget_times(row)


def _versions_unstarted(implementation: Implementation) -> str:
    """Return the versions of an implementation whose worker has not reported them."""
    if not implementation.requires:
        return versions_of(implementation)
    return ", ".join(f"{name} not installed" for name in distributions(implementation))
