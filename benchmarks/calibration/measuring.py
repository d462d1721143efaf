"""What a calibration measures: rounds of a pool, and real gates."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from benchmarks import choices, json_files, machine, processors
from benchmarks.calibration import pool
from benchmarks.calibration.injection import SHARES, WORK, inject
from benchmarks.calibration.pool import BASE, COPY, name_of
from benchmarks.calibration.real_gates import INJECTED, RealGate
from benchmarks.calibration.replay import MARGIN
from benchmarks.calibration.subject import Changes, Subject
from benchmarks.options import Options
from benchmarks.progress import Advance, Stage
from benchmarks.regression import decision
from benchmarks.regression.gate_options import BLOCKS
from benchmarks.regression.outcome import measure_and_decide
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Key, Side
from benchmarks.scratch import scratch

REPLICATES = 11
"""Of a round."""


def configure(subject: Subject, seed: int) -> Options:
    """Return what decides how a calibration measures: the same as for a gate."""
    benchmarks = tuple(subject.benchmarks.values())
    return Options(
        benchmarks=benchmarks, device="cpu", threads=1, turn_seconds=subject.turn_seconds, seed=seed
    )


@contextmanager
def session_of(
    subject: Subject, changes: Mapping[str, Changes], advance: Advance, rng: random.Random
) -> Iterator[Session]:
    """Yield a session with fresh caches, whose sides are copies of the subject with these changes, by label.

    Equal sides, too, have different files, as base and head of a gate. Which copy is whose is random, and their paths
    are equally long.
    """
    order = rng.sample(list(changes), len(changes))
    with scratch() as folder:
        places = {label: folder / "copies" / f"{order.index(label):02}" for label in changes}
        sides = [
            Side(label, subject.copied(places[label], of_side))
            for label, of_side in changes.items()
        ]
        options = configure(subject, rng.randrange(2**31))
        cores = choices.choose_cores(1)
        with Session(options, sides, cores, folder, advance) as session:
            yield session


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
    pool_folder = folder / "pool"
    changes: dict[str, Changes] = {BASE: {}, COPY: {}}
    for share in shares:
        changes[name_of(share)] = dict.fromkeys(
            subject.names, partial(inject, share=share, modes=subject.modes)
        )
    with session_of(
        subject, dict(rng.sample([*changes.items()], len(changes))), advance, rng
    ) as session:
        session.admit()
        refuse({key: arm.reason for key, arm in session.admissions.items() if arm.status != "ok"})
        session.close()
        described = machine.describe(Options(run_id=session.options.run_id, baseline=BASE))
        json_files.write(
            pool_folder / f"round-{session.options.run_id}.json", pool.Round(described, WORK)
        )
        for number in range(replicates):
            records = session.replicate(number, BLOCKS, stage=Stage.COLLECTING, of_all=replicates)
            refuse({key: failure.reason for key, failure in session.failures.items()})
            pool.save(pool_folder, records)


def refuse(failed: Mapping[Key, str | None]) -> None:
    """End a calibration in which an arm has failed: a pool holds whole replicates."""
    for (side, *key), reason in failed.items():
        raise click.ClickException(f"{' '.join(key)}, as {side}: {reason}")


def real_gate(kind: str, subject: Subject, advance: Advance) -> RealGate:
    """Run a gate of one of KINDS: of the same code, or with one benchmark slowed."""
    rng = random.Random()
    start = time.perf_counter()
    slowed, head = "", dict[str, Callable[[str], str]]()
    if kind in INJECTED:
        name, mode = rng.choice(subject.pairs)
        slowed = f"{name} {subject.benchmarks[mode]}"
        head[name] = partial(inject, share=INJECTED[kind], modes=[mode])
    with session_of(subject, {"base": {}, "head": head}, advance, rng) as session:
        result = measure_and_decide(session, decision.rules(MARGIN), decision.MOST, BLOCKS)
        refuse({key: arm.reason for key, arm in session.admissions.items() if arm.status != "ok"})
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
