"""python -m benchmarks calibrate: how often the gate gives a false alarm, and which slowdowns it finds."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

import click
from rich.console import Console
from rich.markdown import Markdown

from benchmarks import ROOT, machine, options
from benchmarks.calibration import pool, sizing
from benchmarks.calibration.injection import KINDS as WORK
from benchmarks.calibration.measuring import SIZES, amounts_of, collect, gates_of, real_gate, size_work
from benchmarks.calibration.pool import Pool
from benchmarks.calibration.report import (
    KINDS,
    SHARES,
    RealGate,
    gates_listed,
    report,
    sizes_listed,
    slowdowns_listed,
)
from benchmarks.calibration.sizing import Sizes
from benchmarks.calibration.subject import Subject
from benchmarks.progress import COLLECTING, REGRESSION, SIZING, progress_in_parts
from benchmarks.regression.command import PROBLEM
from benchmarks.words import count
from impls.core import command_line
from impls.core.files import check_place, write_text
from impls.core.problem import Problem
from impls.core.text import json_text

SESSION_REPLICATES = 11
PAUSE_SECONDS = 20.0
"""Between two sessions: what one session leaves in the machine is to have gone."""
TABLES = ("calibration.md", "gates.md", "slowdowns.md", "sizes.md")
MINUTES = {"sizes": 70.0, "session": 20.0, "session of twins": 10.0, "gate": 4.0}
"""About how long each part takes, for the progress."""


def stored(folder: Path) -> tuple[Pool, list[RealGate], Sizes]:
    """Return the pool, the gates, and the sizes of slowdowns that a folder holds.

    Raises:
        UsageError: where a file is damaged.
    """
    try:
        pooled, gates, sizes = Pool.load(folder / "pool"), gates_of(folder), sizing.stored(folder / SIZES)
    except ValueError as error:
        raise click.UsageError(f"{error}; remove it, or put back a copy") from None
    return pooled, gates, sizes


@click.command()
@click.option(
    "--sessions", type=click.IntRange(0, 1000), default=1, show_default=True, help="Sessions to add to the pool."
)
@click.option(
    "--size",
    "size_first",
    is_flag=True,
    help="First measure how much work a slowdown takes: hours. It can go on later.",
)
@click.option(
    "--size-within",
    type=options.Finite(min=0.01, max=1),
    metavar="POINTS",
    help="With --size: stop when a slowdown is known to within so many percentage points (95 % interval), or after"
    f" {sizing.MOST} more processes.  [default: {100 * sizing.HALF:g}]",
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
    "--runs", type=click.IntRange(0, 1000), default=1, show_default=True, help="Real gates of each kind to run."
)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Kind of the real gates. Repeatable.")
@click.option("--no-tables", is_flag=True, help="Only measure. `--sessions 0 --runs 0` makes the tables later.")
@click.option(
    "--impl",
    "impls",
    multiple=True,
    metavar="NAME|FILE.py",
    help="These in place of the gate's default set. Repeatable.",
)
@click.option(
    "--problem",
    default=PROBLEM,
    show_default=True,
    metavar="ID",
    help="The problem of the gates.",
    callback=lambda ctx, param, value: options.parse_problem(ctx, param, (value,))[0],
)
@options.mode_option
@options.device_option
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/calibration]")
def calibrate(
    sessions: int,
    size_first: bool,
    size_within: float | None,
    replicates: int,
    aa_only: bool,
    runs: int,
    kinds: tuple[str, ...],
    no_tables: bool,
    impls: tuple[str, ...],
    problem: Problem,
    modes: tuple[str, ...],
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
    if size_within is not None and not size_first:
        raise click.UsageError("--size-within needs --size")
    measures = bool(sessions or runs or size_first)
    if not measures and not folder.is_dir():
        raise click.UsageError(f"{folder} is not a folder: there is nothing to make tables of")
    try:
        subject = Subject.of(impls, problem.id, modes)
        if measures:
            _ = subject.root, options.choose_cores(threads)  # so that what can't be copied or used is found now
        for name in TABLES if folder.is_dir() and not no_tables else ():
            check_place(folder / name)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if [*folder.glob("replicate-*.parquet")]:
        raise click.UsageError(f"{folder} is a pool itself: give the folder that it is in")
    found = stored(folder)  # so that what is damaged is found before anything is measured
    if measures:
        try:
            pool.claim(pool_folder, machine.machine(), threads, device, subject.description)
        except ValueError as error:
            raise click.UsageError(f"{error}; give another --out") from None
    wanted = [kind for kind in (kinds or KINDS) for _ in range(runs)]
    session = "session of twins" if aa_only else "session"
    parts = [*["sizes"] * size_first, *[session] * sessions, *["gate"] * len(wanted)]
    with progress_in_parts([MINUTES[what] for what in parts]) as part:
        if size_first:
            half = (size_within or 100 * sizing.HALF) / 100
            size_work(folder, subject, threads, part(SIZING, ""), device, half)
        if (sessions and not aa_only) or runs:
            sizes = sizing.stored(folder / SIZES)
            for work in WORK:
                amounts_of(subject, sizes, SHARES[0], work)  # so that what is missing is found now
        for number in range(1, sessions + 1):
            if number > 1:
                time.sleep(PAUSE_SECONDS)
            advance = part(COLLECTING, f"session {number} of {sessions}")
            collect(folder, subject, replicates, () if aa_only else SHARES, threads, advance, device)
        gates = folder / "gates"
        for number, kind in enumerate(wanted, 1):
            advance = part(REGRESSION, f"gate {number} of {len(wanted)}")
            gate = real_gate(kind, folder, subject, threads, advance, device)
            gates.mkdir(parents=True, exist_ok=True)
            moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
            write_text(gates / f"{moment}-{secrets.token_hex(4)}.json", json_text(gate))
    if no_tables:
        command_line.say(f"everything is in {folder}")
        return 0
    if measures:
        found = stored(folder)
    here = machine.machine()
    if found[0].replicates and not found[0].machine and not pool.is_of(pool_folder, here):
        raise click.UsageError(
            f"{pool_folder} has replicates of another machine, and no file of a session describes it"
        )
    benchmarks = sum(set(one) != set(found[0].benchmarks) for one in found[0].replicates)
    if benchmarks:
        told = f"{count(benchmarks, 'replicate')} with other benchmarks than the newest"
        command_line.say(f"warning: {pool_folder} has {told}; the tables may leave them out", err=True)
    about = pool.description_of(pool_folder)
    command_line.say("making the tables", err=True)

    start = time.monotonic()

    def counted(done: int, begun: int) -> None:
        minutes = (time.monotonic() - start) / 60
        command_line.say(f"{done} of {begun} parts of the tables are done after {minutes:.1f} min", err=True)

    try:
        text = report(
            *found,
            here,
            pool.threads_of(pool_folder) or threads,
            about,
            processes=len(os.sched_getaffinity(0)),
            advance=counted,
        )
    except RuntimeError as error:
        raise click.ClickException(str(error)) from None
    Console().print(Markdown(text))  # before it is written, which may fail
    write_text(folder / "calibration.md", text)
    if found[1]:
        write_text(folder / "gates.md", gates_listed(found[1]))
    if slowdowns := slowdowns_listed(found[0]):
        write_text(folder / "slowdowns.md", slowdowns)
    if found[2]:
        write_text(folder / "sizes.md", sizes_listed(found[2]))
    command_line.say(f"everything is in {folder}")
    return 0
