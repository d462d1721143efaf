"""Admission, before any timing: the cold first call, agreement, how long a call takes, and sanity.

An arm is admitted to each benchmark separately. Where it fails, its row gets a status and it is not timed. Where its
process has died, it is started again for its other benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.cases import Benchmark
from benchmarks.progress import Stage
from benchmarks.record import Record, harmless, problem_fields
from benchmarks.runner.arm import Arm, start_all
from benchmarks.runner.sides import ArmFailed, Side, Version
from benchmarks.words import count
from benchmarks.worker import profiles, requests
from impls.core import command_line, registry
from impls.core.environments import distributions, versions_of
from impls.core.text import one_line

if TYPE_CHECKING:
    from benchmarks.runner.session import Session

Check = Callable[[Arm, Benchmark, Record], None]
"""Checks an arm that runs at a benchmark, and fills in its row."""
BEFORE = -1
"""The number of the replicate in the row of an admission."""


def first_row(session: Session, side: Side, name: str, benchmark: Benchmark) -> Record:
    """Return the row of an arm at a benchmark with what is known before the arm has started."""
    row = Record(
        side=side.label if len(session.sides) > 1 else None,
        run_id=session.options.run_id,
        implementation=name,
        **problem_fields(benchmark.problem),
        workload=benchmark.workload,
        mode=benchmark.mode,
        device=session.options.device,
        threads=session.options.threads,
        replicate=BEFORE,
    )
    if name in side.versions:
        implementation = side.versions[name].implementation
        row.track, row.digest, row.versions = (
            implementation.track,
            implementation.digest,
            versions_of(implementation),
        )
        if implementation.requires:  # until its worker has started
            row.versions = ", ".join(
                f"{name} not installed" for name in distributions(implementation)
            )
    return row


def refusal(session: Session, side: Side, name: str, benchmark: Benchmark) -> ArmFailed | None:
    """Return why an arm is not tried at a benchmark; None where it is tried."""
    if name in side.unreadable:
        return ArmFailed("error", side.unreadable[name])
    version, problem = side.versions[name], benchmark.problem
    lacks = version.implementation.lacks(session.options.device, problem, benchmark.workload)
    return version.failure or (ArmFailed("unsupported", lacks) if lacks else None)


def admit(session: Session, check: Check | None) -> None:
    """Admit or refuse every arm of a session at every benchmark: see Session.admit."""
    keys = [(side, name) for name in session.names for side in session.sides if name in side.names]
    if check is None:
        tried = [
            session.arms[side.label, name]
            for side, name in keys
            if any(
                refusal(session, side, name, benchmark) is None
                for benchmark in session.benchmarks_of(side)
            )
        ]
        if tried and session.options.device == "cpu":
            peak = Version(registry.resolve("peak"))
            arm = Arm(peak, session.options, session.cores, "float32", session.scratch / "limits")
            session.limits.measure(arm, session.benchmarks)
        start_all(tried)
        for side, name in keys:
            _admit_arm(session, partial(check_timed, session), side, name)
            _say_refused(session, side, name)
        return
    free = list(session.cores)

    def alone(key: tuple[Side, str]) -> None:
        arm = session.arms[key[0].label, key[1]]
        arm.cores = (free.pop(),)
        try:
            _admit_arm(session, check, *key)
        finally:
            free.extend(arm.cores)
            arm.kill()

    with ThreadPoolExecutor(len(free)) as pool:
        try:
            list(pool.map(alone, keys))
        except BaseException:
            session.stopping.set()
            session.close()
            raise


def _admit_arm(session: Session, check: Check, side: Side, name: str) -> None:
    """Admit or refuse an arm at every benchmark. One that cannot start is not started again for each benchmark."""
    unable: ArmFailed | None = None
    steps = sum(len(side.names) * len(session.benchmarks_of(side)) for side in session.sides)
    for benchmark in session.benchmarks_of(side):
        row = first_row(session, side, name, benchmark)
        failure = refusal(session, side, name, benchmark) or unable
        if failure is None:
            arm = session.arms[side.label, name]
            try:
                arm.ensure_running(session.cores)
            except ArmFailed as failed:
                failure = unable = failed
        if failure is None:
            row.versions = arm.ready.versions if arm.ready else row.versions
            try:
                check(arm, benchmark, row)
            except ArmFailed as failed:
                failure = failed
        if session.stopping.is_set():  # it may have been killed
            return
        if failure is not None:
            row.fail(failure.status, failure.reason)
        session.admissions[side.label, name, benchmark.id] = row
        session.advance(Stage.CHECKING, name, len(session.admissions), steps)


def _say_refused(session: Session, side: Side, name: str) -> None:
    """Say in one line that an arm has failed: the table says so only when all others are timed."""
    rows = [
        session.admissions[side.label, name, benchmark.id]
        for benchmark in session.benchmarks_of(side)
    ]
    failed = [row for row in rows if row.status not in harmless(None)]
    if failed:
        which = name if len(session.sides) == 1 else f"{name} in {side.label}"
        where = f"{len(failed)} of {count(len(rows), 'benchmark')}"
        command_line.say(
            f"not timed: {which} at {where}: {failed[0].status}: {failed[0].reason}", err=True
        )


def check_timed(session: Session, arm: Arm, benchmark: Benchmark, row: Record) -> None:
    """Check an arm that is to be timed at a benchmark, and fill in its row, or refuse it (ArmFailed)."""
    opened = arm.ask(session.opening(benchmark))
    row.first_call_seconds = opened.first_call_seconds + opened.compiled_before_seconds
    row.warning = opened.warning
    if not arm.implementation.is_peak:  # which computes no LSTM
        checked = arm.ask(requests.Check(benchmark.id, session.expected_of(benchmark)))
        row.error, row.error_tensor = checked.error, checked.tensor
    row.seconds = arm.ask(requests.Inspect(benchmark.id, session.options.turn_seconds))
    if session.options.device == "cpu" and not arm.implementation.is_peak:
        session.limits.check(benchmark, row.seconds)
    arm.check_from_outside()
    if len(session.sides) == 1:  # a comparison shows no kernels
        try:
            row.kernel = arm.ask(profiles.NameKernel(benchmark.id))
        except ArmFailed as failure:  # a profiler that fails is no fault of the implementation
            row.kernel = one_line(f"not known: {failure.status}: {failure.reason}", 100)
    if arm.alive:
        session.note_files(arm)
        arm.ask(requests.Close(benchmark.id))
