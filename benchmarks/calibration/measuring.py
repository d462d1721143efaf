"""What a calibration measures: rounds of a pool, and real gates."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks import choices, machine, processors
from benchmarks.calibration import pool
from benchmarks.calibration.injection import KINDS as WORK
from benchmarks.calibration.injection import SHARES
from benchmarks.calibration.pool import BASE, COPY, name_of
from benchmarks.calibration.real_gates import BACKGROUND, INJECTED, RealGate, gates_of
from benchmarks.calibration.replay import MARGIN
from benchmarks.calibration.subject import Subject
from benchmarks.options import Options
from benchmarks.processes import die_with_parent
from benchmarks.progress import Advance, Stage
from benchmarks.regression import decision
from benchmarks.regression.gate_options import BLOCKS
from benchmarks.regression.outcome import measure_and_decide
from benchmarks.runner.session import Key, Session
from benchmarks.runner.sides import Side
from benchmarks.scratch import scratch
from impls.core.files import write_text
from impls.core.text import json_text

REPLICATES = 11
"""Of a round."""
LONGEST_SECONDS = 3.0
"""Of the background load: it works and sleeps for at most so long."""


def configure(subject: Subject, seed: int) -> Options:
    """Return what decides how a calibration measures: the same as for a gate."""
    benchmarks = tuple(subject.benchmarks.values())
    return Options(benchmarks=benchmarks, device="cpu", threads=1, turn_seconds=subject.turn_seconds, seed=seed)


@contextmanager
def session_of(subject: Subject, roots: Mapping[str, Path], advance: Advance, rng: random.Random) -> Iterator[Session]:
    """Yield a session with fresh caches, whose sides are copies of these snapshots, by label.

    Equal sides, too, have different files, as base and head of a gate. Which copy is whose is random, and their paths
    are equally long.
    """
    order = rng.sample(list(roots), len(roots))
    with scratch() as folder:
        places = {label: folder / "copies" / f"{order.index(label):02}" for label in roots}
        sides = [Side(label, subject.versions(shutil.copytree(root, places[label]))) for label, root in roots.items()]
        options = configure(subject, rng.randrange(2**31))
        cores = choices.choose_cores(1)
        with Session(options, sides, cores, folder, advance) as session:
            yield session


def collect(
    folder: Path, subject: Subject, advance: Advance, replicates: int = REPLICATES, shares: Sequence[float] = SHARES
) -> None:
    """Add a round to the pool of a folder.

    It has fresh caches. Base, its A/A copy and every injected slowdown are in the same blocks. Each has its own copy of
    the files.
    """
    rng = random.Random()
    pool_folder = folder / "pool"
    before = [begun.work for begun in pool.rounds_of(pool_folder).values()]
    work = min(WORK, key=lambda kind: (before.count(kind), rng.random()))
    slowed = {name_of(share): subject.slowed(share, work, subject.names, subject.modes) for share in shares}
    roots = [*{BASE: subject.root, COPY: subject.root, **slowed}.items()]
    rng.shuffle(roots)
    with session_of(subject, dict(roots), advance, rng) as session:
        session.admit()
        refuse({key: arm.reason for key, arm in session.admissions.items() if arm.status != "ok"})
        session.close()
        described = machine.describe(Options(run_id=session.options.run_id, baseline=BASE))
        write_text(pool_folder / f"round-{session.options.run_id}.json", json_text(pool.Round(described, work)))
        for number in range(replicates):
            records = session.replicate(number, BLOCKS, stage=Stage.COLLECTING, of_all=replicates)
            refuse({key: failure.reason for key, failure in session.failures.items()})
            pool.save(pool_folder, records)


def refuse(failed: Mapping[Key, str | None]) -> None:
    """End a calibration in which an arm has failed: a pool holds whole replicates."""
    for (side, *key), reason in failed.items():
        raise click.ClickException(f"{' '.join(key)}, as {side}: {reason}")


@contextmanager
def background_load(core: int) -> Iterator[None]:
    """Keep a processor busy now and then while the block runs."""
    process = multiprocessing.get_context("spawn").Process(target=_disturb, args=(core, os.getpid()))
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _disturb(core: int, parent: int) -> None:
    """Work for a random time, sleep for a random time, and so on."""
    die_with_parent(parent)
    os.sched_setaffinity(0, {core})
    rng = random.Random()
    while True:
        end = time.perf_counter() + rng.uniform(0.1, LONGEST_SECONDS)
        while time.perf_counter() < end:
            pass
        time.sleep(rng.uniform(0.1, LONGEST_SECONDS))


def real_gate(kind: str, folder: Path, subject: Subject, advance: Advance) -> RealGate:
    """Run a gate of one of KINDS: of the same code, or with one benchmark slowed. The folder has the gates so far."""
    rng = random.Random()
    before = [(gate.kind, gate.work) for gate in gates_of(folder)]  # so that each kind of work comes as often
    start = time.perf_counter()
    head, slowed, work = subject.root, "", None
    if kind in INJECTED:
        name, mode = rng.choice(subject.pairs)
        work = min(WORK, key=lambda of: (before.count((kind, of)), rng.random()))
        slowed = f"{name} {subject.benchmarks[mode]}"
        head = subject.slowed(INJECTED[kind], work, [name], [mode])
    with ExitStack() as stack:
        session = stack.enter_context(session_of(subject, {"base": subject.root, "head": head}, advance, rng))
        if kind == BACKGROUND:
            stack.enter_context(background_load(choices.choose_cores(1)[-1]))
        result = measure_and_decide(session, decision.rules(MARGIN), decision.MOST, BLOCKS)
        refuse({key: arm.reason for key, arm in session.admissions.items() if arm.status != "ok"})
    return RealGate(
        kind=kind,
        slowed=slowed,
        exit_code=result.exit_code(strict=False),
        regressions=[*result.worse.values()],
        worse=[*result.worse],
        seconds=time.perf_counter() - start,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        work=work,
        machine=processors.words(machine.machine()),
        benchmarks=len({finding.benchmark for finding in result.findings}),
        unclear=[finding.benchmark for finding in result.unclear if finding.metric == "time"],
    )
