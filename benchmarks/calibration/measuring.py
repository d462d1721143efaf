"""What a calibration measures: the sizes of slowdowns, sessions of a pool, and real gates."""

from __future__ import annotations

import random
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from benchmarks import machine, options, processors
from benchmarks.calibration import kept, pool, sizing
from benchmarks.calibration.hog import hogging
from benchmarks.calibration.injection import KINDS as WORK
from benchmarks.calibration.pool import BASE, COPY, name_of
from benchmarks.calibration.report import HOGGED, MARGIN, PLANTED, RealGate
from benchmarks.calibration.sizing import Sizes
from benchmarks.calibration.subject import Subject
from benchmarks.metadata import RunOptions
from benchmarks.record import new_run_id
from benchmarks.regression import decision
from benchmarks.regression.outcome import Steps, measure_and_decide
from benchmarks.runner.configuration import Configuration
from benchmarks.runner.session import Advance, Key, Session
from benchmarks.runner.sides import Side
from benchmarks.scratch import scratch
from benchmarks.words import listed
from impls.core import command_line

SIZES = "sizes.json"
"""The file beside a pool that keeps how much work a slowdown takes."""


def amounts_of(subject: Subject, sizes: Sizes, share: float, work: str) -> dict[str, float]:
    """Return the work that a slowdown takes, as a share of a call, by implementation and mode.

    Raises:
        UsageError: where only some of them have been sized.
    """
    wanted = [f"{name} {mode}" for name, mode in subject.pairs]
    if not sizes:
        return dict.fromkeys(wanted, share / WORK[work])
    known = sizes.get(work, {})
    if missing := [key for key in wanted if not known.get(key, sizing.NOTHING).usable]:
        told = f"{SIZES} has no {work} work of {listed(missing)}"
        raise click.UsageError(f"{told}: run --size again, with the same --size-within, which goes on")
    return {key: known[key].amount(share) for key in wanted}


def size_work(
    folder: Path, subject: Subject, threads: int, advance: Advance, device: str = "cpu", half: float = sizing.HALF
) -> None:
    """Measure how much work makes a call slower by a share of itself, at each benchmark.

    A folder keeps what each process has measured. Those with too few processes come first; then those that are not yet
    known to within `half` go on.
    """
    path, root, rng = folder / SIZES, subject.root, random.Random()
    sizes = sizing.stored(path)

    def known(work: str, name: str, mode: str) -> sizing.Size:
        return sizes.get(work, {}).get(f"{name} {mode}", sizing.NOTHING)

    def keep(work: str, name: str, mode: str, found: sizing.Size) -> None:
        sizes.setdefault(work, {})[f"{name} {mode}"] = found
        sizing.store(path, sizes)

    every = [(work, *pair) for work in WORK for pair in subject.pairs]
    wanted = sorted((one for one in every if not known(*one).within(half)), key=lambda one: known(*one).usable)
    for number, one in enumerate(wanted):
        work, name, mode = one
        what = f"sizing {work} in {name} {mode}"
        advance(what, number, len(wanted))
        place = subject.slowed(root, sizing.ENDS[-1], work, [name], [mode])
        version = subject.version(place, name)
        if version.failure is not None:
            raise click.ClickException(f"{name} can't be sized: {version.failure.reason}")
        request = sizing.Request(
            path=str(version.implementation.path),
            benchmark=subject.benchmarks[mode],
            device=device,
            cores=options.choose_cores(threads),
            turn_seconds=subject.turn_seconds(device),
            seed=rng.randrange(2**31),
        )
        with scratch() as cache:
            try:
                found = sizing.size_apart(version, request, cache, half, known(*one), partial(keep, *one))
            except RuntimeError as error:
                raise click.ClickException(f"{name} {mode} can't be sized: {error}") from None
        if found.uncertain > half:
            points = f"{100 * found.uncertain:.2f} points"
            command_line.say(f"warning: {work} work in {name} {mode} is sized to within {points} only", err=True)


def configure(subject: Subject, threads: int, seed: int, device: str = "cpu") -> Configuration:
    """Return what decides how a calibration measures: the same as for a gate."""
    return Configuration(
        run_id=new_run_id(),
        benchmarks=tuple(subject.benchmarks.values()),
        device=device,
        threads=threads,
        turn_seconds=subject.turn_seconds(device),
        seed=seed,
        weights=None,
        call_seconds=600.0,
        memory_bytes=options.memory_bytes(None),
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
    replicates: int,
    shares: Sequence[float],
    threads: int,
    advance: Advance,
    device: str = "cpu",
) -> None:
    """Add a session to the pool of a folder.

    It has fresh caches. Base, its A/A copy and every injected slowdown are in the same blocks. Each has its own copy of
    the files.
    """
    rng = random.Random()
    root = subject.root
    pool_folder = folder / "pool"
    before = [one.work for one in pool.described(pool_folder)]
    work = min(WORK, key=lambda kind: (before.count(kind), rng.random()))
    roots = {BASE: root, COPY: root}
    sizes = sizing.stored(folder / SIZES)
    amounts = {name_of(share): amounts_of(subject, sizes, share, work) for share in shares}
    for share in shares:
        label = name_of(share)
        roots[label] = subject.slowed(root, share, work, subject.names, subject.modes, amounts[label])
    configuration = configure(subject, threads, rng.randrange(2**31), device)
    pool_folder.mkdir(parents=True, exist_ok=True)
    collected = pool.Collected(
        machine.describe(RunOptions(run_id=configuration.run_id, baseline=BASE)),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        work=work if shares else None,
        amounts=amounts if shares else None,
        sized=bool(sizes) if shares else None,
    )
    with scratch() as scratch_folder:
        sides = copied(roots, subject, scratch_folder, rng)
        rng.shuffle(sides)
        cores = options.choose_cores(threads)
        session = Session(configuration, sides, cores, scratch_folder, advance, secrets.randbits(32))
        try:
            session.admit()
            refuse({key: one.reason for key, one in session.admissions.items() if one.status != "ok"})
            session.close()
            pool.describe(pool_folder, collected)
            for number in range(replicates):
                records = session.replicate(number, Steps.blocks, what="collecting, replicate", of_all=replicates)
                refuse({key: failure.reason for key, failure in session.failures.items()})
                pool.save(pool_folder, records)
        finally:
            session.close()


def refuse(failed: Mapping[Key, str | None]) -> None:
    """End a calibration in which an arm has failed: a pool holds whole replicates."""
    for (side, *key), reason in failed.items():
        raise click.ClickException(f"{' '.join(key)}, as {side}: {reason}")


def real_gate(
    kind: str, folder: Path, subject: Subject, threads: int, advance: Advance, device: str = "cpu"
) -> RealGate:
    """Run a gate: of the same code, or with one benchmark slowed.

    Args:
        kind: one of KINDS.
        folder: has the sizes of slowdowns.
        subject: what is compared.
        threads: the processors of each worker.
        advance: is told the progress.
        device: where the workers compute.
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
        amounts = amounts_of(subject, sizing.stored(folder / SIZES), PLANTED[kind], work)
        head = subject.slowed(root, PLANTED[kind], work, [name], [mode], amounts)
    configuration = configure(subject, threads, rng.randrange(2**31), device)
    cores = options.choose_cores(threads)
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
