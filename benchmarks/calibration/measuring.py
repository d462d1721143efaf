"""What a calibration measures: rounds of a pool, and real gates."""

from __future__ import annotations

import random
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks import choices, machine, processors
from benchmarks.calibration import kept, pool
from benchmarks.calibration.hog import hogging
from benchmarks.calibration.injection import KINDS as WORK
from benchmarks.calibration.pool import BASE, COPY, name_of
from benchmarks.calibration.report import HOGGED, MARGIN, PLANTED, SHARES, RealGate
from benchmarks.calibration.subject import Subject
from benchmarks.options import Options
from benchmarks.record import new_run_id
from benchmarks.regression import decision
from benchmarks.regression.outcome import Steps, measure_and_decide
from benchmarks.runner.session import Key, Session
from benchmarks.runner.sides import Side
from benchmarks.scratch import scratch
from benchmarks.stages import Advance, Stage

REPLICATES = 11
"""Of a round."""


def configure(subject: Subject, seed: int) -> Options:
    """Return what decides how a calibration measures: the same as for a gate."""
    return Options(
        run_id=new_run_id(),
        benchmarks=tuple(subject.benchmarks.values()),
        device="cpu",
        threads=1,
        turn_seconds=subject.turn_seconds("cpu"),
        seed=seed,
        weights=None,
        call_seconds=600.0,
        memory_bytes=choices.memory_bytes(None),
    )


def copied(roots: Mapping[str, Path], subject: Subject, folder: Path, rng: random.Random) -> list[Side]:
    """Return sides whose files are copies of snapshots, by label.

    Equal sides, too, have different files, as base and head of a gate. Which copy is whose is random, and their paths
    are equally long.
    """
    order = rng.sample(list(roots), len(roots))
    places = {label: folder / "copies" / f"{order.index(label):02}" for label in roots}
    return [Side(label, subject.versions(shutil.copytree(root, places[label]))) for label, root in roots.items()]


def collect(
    folder: Path,
    subject: Subject,
    advance: Advance,
    replicates: int = REPLICATES,
    shares: Sequence[float] = SHARES,
) -> None:
    """Add a round to the pool of a folder.

    It has fresh caches. Base, its A/A copy and every injected slowdown are in the same blocks. Each has its own copy of
    the files.
    """
    rng = random.Random()
    root = subject.root
    pool_folder = folder / "pool"
    before = [one.work for one in pool.described(pool_folder)]
    work = min(WORK, key=lambda kind: (before.count(kind), rng.random()))
    roots = {BASE: root, COPY: root}
    for share in shares:
        roots[name_of(share)] = subject.slowed(root, share, work, subject.names, subject.modes)
    configuration = configure(subject, rng.randrange(2**31))
    pool_folder.mkdir(parents=True, exist_ok=True)
    collected = pool.Collected(
        machine.describe(Options(run_id=configuration.run_id, baseline=BASE)),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        work=work if shares else None,
    )
    with scratch() as scratch_folder:
        sides = copied(roots, subject, scratch_folder, rng)
        rng.shuffle(sides)
        cores = choices.choose_cores(1)
        session = Session(configuration, sides, cores, scratch_folder, advance, secrets.randbits(32))
        try:
            session.admit()
            refuse({key: one.reason for key, one in session.admissions.items() if one.status != "ok"})
            session.close()
            pool.describe(pool_folder, collected)
            for number in range(replicates):
                records = session.replicate(number, Steps.blocks, stage=Stage.COLLECTING, of_all=replicates)
                refuse({key: failure.reason for key, failure in session.failures.items()})
                pool.save(pool_folder, records)
        finally:
            session.close()


def refuse(failed: Mapping[Key, str | None]) -> None:
    """End a calibration in which an arm has failed: a pool holds whole replicates."""
    for (side, *key), reason in failed.items():
        raise click.ClickException(f"{' '.join(key)}, as {side}: {reason}")


def real_gate(kind: str, folder: Path, subject: Subject, advance: Advance) -> RealGate:
    """Run a gate: of the same code, or with one benchmark slowed.

    Args:
        kind: one of KINDS.
        folder: has the real gates so far.
        subject: what is compared.
        advance: is told the progress.
    """
    rng = random.Random()
    before = [(gate.kind, gate.work) for gate in gates_of(folder)]  # so that each kind of work comes as often
    start = time.perf_counter()
    root = head = subject.root
    planted, work = "", None
    if kind in PLANTED:
        name, mode = rng.choice(subject.pairs)
        work = min(WORK, key=lambda one: (before.count((kind, one)), rng.random()))
        planted = f"{name} {subject.benchmarks[mode]}"
        head = subject.slowed(root, PLANTED[kind], work, [name], [mode])
    configuration = configure(subject, rng.randrange(2**31))
    cores = choices.choose_cores(1)
    with scratch() as scratch_folder, ExitStack() as stack:
        sides = copied({"base": root, "head": head}, subject, scratch_folder, rng)
        if kind == HOGGED:
            stack.enter_context(hogging(cores[-1]))
        session = Session(configuration, sides, cores, scratch_folder, advance, secrets.randbits(32))
        stack.callback(session.close)
        result = measure_and_decide(session, decision.rules(MARGIN), Steps())
        refuse({key: one.reason for key, one in session.admissions.items() if one.status != "ok"})
    return RealGate(
        kind=kind,
        planted=planted,
        exit_code=result.exit_code(strict=False),
        strict_exit_code=result.exit_code(strict=True),
        regressions=result.regressions,
        seconds=time.perf_counter() - start,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        work=work,
        machine=processors.words(machine.machine()),
        benchmarks=len({finding.benchmark for finding in result.findings}),
        unknown=[finding.benchmark for finding in result.unclear if finding.metric == "time"],
    )


def gates_of(folder: Path) -> list[RealGate]:
    """Return the real gates that a folder holds.

    Raises:
        ValueError: where a file is damaged. One line, with its path.
    """
    return [kept.read(path, RealGate) for path in sorted((folder / "gates").glob("*.json"))]
