"""python -m benchmarks calibrate: how often the gate gives a false alarm, and which slowdowns it finds."""

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
import msgspec
from rich.console import Console
from rich.markdown import Markdown

from benchmarks import ROOT, machine, options, processors
from benchmarks.calibration import pool, sizing
from benchmarks.calibration.hog import hogging
from benchmarks.calibration.injection import KINDS as WORK
from benchmarks.calibration.injection import slowed_by
from benchmarks.calibration.pool import BASE, COPY, Pool, name_of
from benchmarks.calibration.report import (
    HOGGED,
    KINDS,
    MARGIN,
    PLANTED,
    SHARES,
    RealGate,
    gates_listed,
    report,
    sizes_listed,
    slowdowns_listed,
)
from benchmarks.calibration.sizing import Sizes
from benchmarks.measurement.configuration import Configuration
from benchmarks.measurement.devices import LEAST_TURN
from benchmarks.measurement.session import Advance, Key, Session
from benchmarks.measurement.sides import Side, Version, version_of
from benchmarks.metadata import RunOptions
from benchmarks.progress import CALIBRATION, progress
from benchmarks.record import new_run_id
from benchmarks.regression import decision, snapshots
from benchmarks.regression.command import GATED_MODES, PROBLEM, TURN_SECONDS
from benchmarks.regression.comparison import GATED
from benchmarks.regression.outcome import Steps, measure_and_decide
from benchmarks.scratch import scratch
from benchmarks.words import listed
from impls.core import command_line, registry
from impls.core.files import read_regular, write_text
from impls.core.text import json_text

SESSION_REPLICATES = 11
PAUSE_SECONDS = 20.0
"""Between two sessions: what one session leaves in the machine is to have gone."""
SIZES = "sizes.json"
"""The file beside a pool that keeps how much work a slowdown takes."""


def working_tree() -> Path:
    """Return a snapshot of impls/ as it is now."""
    return snapshots.of_working_tree(ROOT / "impls", "impls")


def versions(root: Path, names: Sequence[str]) -> dict[str, Version]:
    """Return a snapshot's versions of these implementations."""
    implementations = registry.catalogue(root / "impls")
    return {name: version_of(implementations[name], root) for name in names}


def slowed(
    root: Path,
    names: Sequence[str],
    share: float,
    work: str = "arithmetic",
    modes: Sequence[str] = GATED_MODES,
    amounts: Mapping[str, float] | None = None,
) -> Path:
    """Return a copy of a snapshot in which a call of these implementations takes longer by `share`, in these modes.

    `amounts` has the work, as a share of a call, by implementation and mode; where there are none, KINDS decides.
    """
    of_name = {name: amounts and {mode: amounts[f"{name} {mode}"] for mode in modes} for name in names}
    return snapshots.changed(root, {name: slowed_by(share, work, modes, of_name[name]) for name in names})


def amounts_of(sizes: Sizes, share: float, work: str) -> dict[str, float]:
    """Return the work that a slowdown takes, as a share of a call, by implementation and mode.

    Raises:
        UsageError: where only some of them have been sized.
    """
    wanted = [f"{name} {mode}" for name in GATED for mode in GATED_MODES]
    if not sizes:
        return dict.fromkeys(wanted, share / WORK[work])
    known = sizes.get(work, {})
    if missing := [key for key in wanted if key not in known]:
        raise click.UsageError(f"{SIZES} has no {work} work of {listed(missing)}: run --size again, which goes on")
    return {key: known[key].amount(share) for key in wanted}


def size_work(folder: Path, threads: int, advance: Advance, device: str = "cpu") -> None:
    """Measure how much work makes a call slower by a share of itself, at each benchmark; what a folder has is kept."""
    path, root, rng = folder / SIZES, working_tree(), random.Random()
    sizes = sizing.stored(path)
    wanted = [(work, name, mode) for work in WORK for name in GATED for mode in GATED_MODES]
    for number, (work, name, mode) in enumerate(wanted):
        if f"{name} {mode}" in sizes.get(work, {}):
            continue
        what = f"sizing {work} in {name} {mode}"
        advance(what, number, len(wanted))
        place = slowed(root, [name], sizing.ENDS[-1], work, [mode])
        request = sizing.Request(
            path=str(place / "impls" / f"{name}.py"),
            benchmark=f"{PROBLEM}/sequence/{mode}",
            device=device,
            cores=options.choose_cores(threads),
            turn_seconds=max(TURN_SECONDS, LEAST_TURN[device]),
            seed=rng.randrange(2**31),
        )
        implementation = versions(place, [name])[name].implementation
        with scratch() as cache:
            try:
                found = sizing.size_apart(implementation, place, request, cache, lambda _: None)
            except RuntimeError as error:
                raise click.ClickException(f"{name} {mode} can't be sized: {error}") from None
        sizes.setdefault(work, {})[f"{name} {mode}"] = found
        sizing.store(path, sizes)
        if found.uncertain > sizing.HALF:
            points = f"{100 * found.uncertain:.2f} points"
            command_line.say(f"warning: {work} work in {name} {mode} is sized to within {points} only", err=True)


def configure(benchmarks: Sequence[str], threads: int, seed: int, device: str = "cpu") -> Configuration:
    """Return what decides how a calibration measures: the same as for a gate by default."""
    return Configuration(
        run_id=new_run_id(),
        benchmarks=tuple(benchmarks),
        device=device,
        threads=threads,
        turn_seconds=max(TURN_SECONDS, LEAST_TURN[device]),
        seed=seed,
        weights=None,
        call_seconds=600.0,
        memory_bytes=options.memory_bytes(None),
    )


def collect(
    folder: Path, replicates: int, shares: Sequence[float], threads: int, advance: Advance, device: str = "cpu"
) -> None:
    """Add a session to the pool of a folder.

    It has fresh caches. Base, its A/A copy and every injected slowdown are in the same blocks. Each has its own copy of
    the files.
    """
    rng = random.Random()
    root = working_tree()
    pool_folder = folder / "pool"
    before = [one.work for one in pool.described(pool_folder)]
    work = min(WORK, key=lambda kind: (before.count(kind), rng.random()))
    roots = {BASE: root, COPY: root}
    sizes = sizing.stored(folder / SIZES)
    amounts = {name_of(share): amounts_of(sizes, share, work) for share in shares}
    for share in shares:
        roots[name_of(share)] = slowed(root, GATED, share, work, GATED_MODES, amounts[name_of(share)])
    benchmarks = [f"{PROBLEM}/sequence/{mode}" for mode in GATED_MODES]
    configuration = configure(benchmarks, threads, rng.randrange(2**31), device)
    pool_folder.mkdir(parents=True, exist_ok=True)
    collected = pool.Collected(
        machine.describe(RunOptions(run_id=configuration.run_id, baseline=BASE)),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        work=work if shares else None,
        amounts=amounts if shares else None,
        sized=bool(sizes) if shares else None,
    )
    with scratch() as scratch_folder:
        place = scratch_folder / "copies"
        copies = {label: shutil.copytree(root, place / label) for label, root in roots.items()}
        sides = [Side(label, versions(copy, GATED)) for label, copy in copies.items()]
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


def real_gate(kind: str, folder: Path, threads: int, advance: Advance, device: str = "cpu") -> RealGate:
    """Run a gate from end to end on the default set: of the same code, or with one benchmark slowed.

    Args:
        kind: one of KINDS.
        folder: has the sizes of slowdowns.
        threads: the processors of each worker.
        advance: is told the progress.
        device: where the workers compute.
    """
    rng = random.Random()
    before = [(gate.kind, gate.work) for gate in gates_of(folder)]  # so that each kind of work comes as often
    start = time.perf_counter()
    root = head = working_tree()
    benchmarks = {mode: f"{PROBLEM}/sequence/{mode}" for mode in GATED_MODES}
    planted, work = "", None
    if kind in PLANTED:
        name, mode = rng.choice(GATED), rng.choice(GATED_MODES)
        work = min(WORK, key=lambda one: (before.count((kind, one)), rng.random()))
        planted = f"{name} {benchmarks[mode]}"
        amounts = amounts_of(sizing.stored(folder / SIZES), PLANTED[kind], work)
        head = slowed(root, [name], PLANTED[kind], work, [mode], amounts)
    sides = Side("base", versions(root, GATED)), Side("head", versions(head, GATED))
    configuration = configure(list(benchmarks.values()), threads, rng.randrange(2**31), device)
    cores = options.choose_cores(threads)
    with scratch() as scratch_folder, ExitStack() as stack:
        if kind == HOGGED:
            stack.enter_context(hogging(cores[-1]))
        session = Session(configuration, sides, cores, scratch_folder, advance, secrets.randbits(32))
        stack.callback(session.close)
        result = measure_and_decide(session, decision.rules(MARGIN), Steps())
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
        unknown=[finding.benchmark for finding in result.unknown() if finding.metric == "time"],
    )


def gates_of(folder: Path) -> list[RealGate]:
    """Return the real gates that a folder holds.

    Raises:
        ValueError: where a file is damaged. One line, with its path.
    """
    gates = []
    for path in sorted((folder / "gates").glob("*.json")):
        try:
            gates.append(msgspec.json.decode(read_regular(path), type=RealGate))
        except msgspec.MsgspecError as error:
            raise ValueError(f"{path} is damaged: {error}") from None
    return gates


def stored(folder: Path) -> tuple[Pool, list[RealGate], Sizes]:
    """Return the pool, the gates, and the sizes of slowdowns that a folder holds.

    Raises:
        UsageError: where a file is damaged.
    """
    try:
        pooled, gates, sizes = Pool.load(folder / "pool"), gates_of(folder), sizing.stored(folder / SIZES)
    except ValueError as error:
        line = str(error) if str(error).startswith(str(folder)) else f"{folder / SIZES} is damaged: {error}"
        raise click.UsageError(f"{line}; remove it, or put back a copy") from None
    return pooled, gates, sizes


@click.command()
@click.option(
    "--sessions", type=click.IntRange(min=0), default=1, show_default=True, help="Sessions to add to the pool."
)
@click.option(
    "--size",
    "size_first",
    is_flag=True,
    help="First measure how much work a slowdown takes: hours. It can go on later.",
)
@click.option(
    "--replicates",
    type=click.IntRange(min=1),
    default=SESSION_REPLICATES,
    show_default=True,
    help="Replicates of a session.",
)
@click.option(
    "--twins-only",
    "aa_only",
    is_flag=True,
    help="Add only two copies of the same code, without slowdowns: faster, for false alarms.",
)
@click.option(
    "--runs", type=click.IntRange(min=0), default=1, show_default=True, help="Real gates of each kind to run."
)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Kind of the real gates. Repeatable.")
@click.option("--no-tables", is_flag=True, help="Only measure. `--sessions 0 --runs 0` makes the tables later.")
@options.device_option
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/calibration]")
def calibrate(
    sessions: int,
    size_first: bool,
    replicates: int,
    aa_only: bool,
    runs: int,
    kinds: tuple[str, ...],
    no_tables: bool,
    device: str,
    threads: int,
    out: Path | None,
) -> int:
    """Measure how often the regression gate gives a false alarm on this machine, and which slowdowns it finds.

    DIR keeps what was measured. Another calibration with the same DIR adds to it. calibration.md has the tables,
    gates.md every real gate, slowdowns.md what each injected slowdown measured, and sizes.md how well each was sized.
    """
    folder = out or ROOT / "runs" / "calibration"
    pool_folder = folder / "pool"
    options.heed_signals()
    stored(folder)  # so that what is damaged is found before anything is measured
    if sessions or runs or size_first:
        try:
            pool.claim(pool_folder, machine.machine(), threads, device)
        except ValueError as error:
            raise click.UsageError(f"{error}; give another --out") from None
    with progress(CALIBRATION) as advance:
        if size_first:
            size_work(folder, threads, advance, device)
        if (sessions and not aa_only) or runs:
            sizes = sizing.stored(folder / SIZES)
            for work in WORK:
                amounts_of(sizes, SHARES[0], work)  # so that what is missing is found now
        for number in range(sessions):
            if number:
                time.sleep(PAUSE_SECONDS)
            collect(folder, replicates, () if aa_only else SHARES, threads, advance, device)
        gates = folder / "gates"
        for kind in (kinds or KINDS) if runs else ():
            for _ in range(runs):
                gate = real_gate(kind, folder, threads, advance, device)
                gates.mkdir(parents=True, exist_ok=True)
                write_text(gates / f"{time.strftime('%Y%m%dT%H%M%S')}.json", json_text(gate))
    if no_tables:
        command_line.say(f"everything is in {folder}")
        return 0
    found = stored(folder)
    text = report(*found, machine.machine(), pool.threads_of(pool_folder) or threads)
    write_text(folder / "calibration.md", text)
    if found[1]:
        write_text(folder / "gates.md", gates_listed(found[1]))
    if slowdowns := slowdowns_listed(found[0]):
        write_text(folder / "slowdowns.md", slowdowns)
    if found[2]:
        write_text(folder / "sizes.md", sizes_listed(found[2]))
    Console().print(Markdown(text))
    command_line.say(f"everything is in {folder}")
    return 0
