"""What a calibration measures: rounds of a pool, and real gates."""

import random
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from benchmarks import hardware, json_files, machine, processors
from benchmarks.calibration import pool
from benchmarks.calibration.injection import SHARES, WORK, inject
from benchmarks.calibration.pool import BASE, COPY, name_of
from benchmarks.calibration.real_gates import KINDS, RealGate
from benchmarks.calibration.subject import Changes, Subject
from benchmarks.options import Options
from benchmarks.progress import Advance, Stage
from benchmarks.record import Record
from benchmarks.regression import decision
from benchmarks.regression.decision import GateKey
from benchmarks.regression.gate_options import BLOCKS
from benchmarks.regression.outcome import measure_and_decide
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side
from benchmarks.scratch import scratch

REPLICATES = 11
"""Of a round."""


def configure(subject: Subject, seed: int) -> Options:
    """Return what decides how a calibration measures: the same as for a gate."""
    return Options(
        benchmarks=tuple(subject.benchmarks.values()),
        device="cpu",
        threads=1,
        turn_seconds=subject.turn_seconds,
        seed=seed,
    )


@contextmanager
def session_of(
    subject: Subject, changes: Mapping[str, Changes], advance: Advance, rng: random.Random
) -> Iterator[Session]:
    """Yield a session with fresh caches, whose sides are copies of the subject with changes, by label.

    Equal sides, too, have different files, as base and head of a gate. Which copy is whose is random, and their paths
    are equally long.
    """
    numbers = rng.sample(range(len(changes)), len(changes))
    with scratch() as folder:
        sides = []
        for number, (label, of_side) in zip(numbers, changes.items(), strict=True):
            place = folder / "copies" / f"{number:02}"
            sides.append(Side(label, subject.copied(place, of_side)))
        options = configure(subject, rng.randrange(2**31))
        cores = hardware.choose_cores(1)
        with Session(options, sides, cores, folder, advance) as session:
            yield session


def collect(folder: Path, subject: Subject, advance: Advance) -> None:
    """Add a round to the pool of a folder.

    It has fresh caches. Base, its A/A copy and every injected slowdown are in the same blocks. Each has its own copy of
    the files.
    """
    rng = random.Random()
    changes: dict[str, Changes] = {BASE: {}, COPY: {}}
    for share in SHARES:
        slow = partial(inject, share=share, modes=subject.modes)
        changes[name_of(share)] = dict.fromkeys(subject.names, slow)
    labels = rng.sample(list(changes), len(changes))
    shuffled = {label: changes[label] for label in labels}
    with session_of(subject, shuffled, advance, rng) as session:
        session.admit()
        refuse(session.admissions.values())
        session.close()
        described = machine.describe(Options(run_id=session.options.run_id, baseline=BASE))
        path = folder / "pool" / f"round-{session.options.run_id}.json"
        json_files.write(path, pool.Round(described, WORK))
        for number in range(REPLICATES):
            records = session.replicate(number, BLOCKS, stage=Stage.COLLECTING, of_all=REPLICATES)
            refuse(records)
            pool.save(folder / "pool", records)


def refuse(records: Iterable[Record]) -> None:
    """End a calibration in which an arm has failed: a pool holds whole replicates."""
    for record in records:
        if record.status != "ok":
            raise click.ClickException(
                f"{record.implementation} {record.benchmark}, as {record.side}: {record.reason}"
            )


def real_gate(kind: str, subject: Subject, advance: Advance) -> RealGate:
    """Run a gate of one of KINDS: of the same code, or with one benchmark slowed."""
    rng = random.Random()
    start = time.perf_counter()
    slowed = ""
    head: Changes = {}
    if KINDS[kind]:
        name = rng.choice(subject.names)
        mode = rng.choice(subject.modes)
        slowed = GateKey.of(name, subject.benchmarks[mode])
        head = {name: partial(inject, share=KINDS[kind], modes=[mode])}
    with session_of(subject, {"base": {}, "head": head}, advance, rng) as session:
        rules = decision.rules(decision.MARGIN)
        result = measure_and_decide(session, rules, decision.MOST, BLOCKS)
        refuse(session.admissions.values())
    return RealGate(
        kind=kind,
        slowed=slowed,
        exit_code=result.exit_code(strict=False),
        worse=[*result.worse],
        seconds=time.perf_counter() - start,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=processors.words(machine.machine()),
        benchmarks=len({finding.benchmark for finding in result.findings}),
        unclear=[finding.benchmark for finding in result.unclear if finding.metric == "time"],
    )
