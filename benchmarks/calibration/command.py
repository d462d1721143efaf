"""python -m benchmarks calibrate: how often the gate gives a false alarm, and which slowdowns it finds."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

import click
from rich.console import Console
from rich.markdown import Markdown

from benchmarks import ROOT, choices, machine
from benchmarks.calibration import pool
from benchmarks.calibration.measuring import collect, gates_of, real_gate
from benchmarks.calibration.pool import Pool
from benchmarks.calibration.report import KINDS, RealGate, gates_listed, report, slowdowns_listed
from benchmarks.calibration.subject import Subject
from benchmarks.progress import progress_in_parts
from benchmarks.regression.command import PROBLEM
from benchmarks.stages import COLLECTING, REGRESSION
from benchmarks.words import count
from impls.core import command_line
from impls.core.files import check_place, write_text
from impls.core.problem import Problem
from impls.core.text import json_text

PAUSE_SECONDS = 20.0
"""Between two rounds: what one round leaves in the machine is to have gone."""
TABLES = ("calibration.md", "gates.md", "slowdowns.md")
MINUTES = {"round": 20.0, "gate": 4.0}
"""About how long each part takes, for the progress."""


def stored(folder: Path) -> tuple[Pool, list[RealGate]]:
    """Return the pool and the real gates that a folder holds.

    Raises:
        UsageError: where a file is damaged.
    """
    try:
        return Pool.load(folder / "pool"), gates_of(folder)
    except ValueError as error:
        raise click.UsageError(f"{error}; remove it, or put back a copy") from None


def _rounds(_: click.Context, parameter: click.Parameter, value: int | None) -> int | None:
    """Return the number; say the new name of the option where it was given by the old one."""
    if value is not None and parameter.name == "sessions":
        command_line.say("note: --sessions is called --rounds now", err=True)
    return value


@click.command()
@click.option("--rounds", type=click.IntRange(0, 1000), default=1, show_default=True, help="Rounds to add to the pool.")
@click.option("--sessions", type=click.IntRange(0, 1000), hidden=True, callback=_rounds)
@click.option(
    "--runs", type=click.IntRange(0, 1000), default=1, show_default=True, help="Real gates of each kind to run."
)
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
    callback=lambda ctx, param, value: choices.parse_problem(ctx, param, (value,))[0],
)
@choices.mode_option
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/calibration]")
def calibrate(
    rounds: int,
    sessions: int | None,
    runs: int,
    impls: tuple[str, ...],
    problem: Problem,
    modes: tuple[str, ...],
    out: Path | None,
) -> int:
    """Measure how often the regression gate gives a false alarm on this machine, and which slowdowns it finds.

    DIR keeps what was measured. Another calibration with the same DIR adds to it. calibration.md has the tables,
    gates.md every real gate, and slowdowns.md what each injected slowdown measured. `--rounds 0 --runs 0` makes the
    tables again.
    """
    rounds = rounds if sessions is None else sessions
    folder = out or ROOT / "runs" / "calibration"
    choices.heed_signals()
    if not (rounds or runs) and not folder.is_dir():
        raise click.UsageError(f"{folder} is not a folder: there is nothing to make tables of")
    try:
        subject = Subject.of(impls, problem.id, modes)
        _ = subject.root  # so that what can't be copied is found now
        for name in TABLES if folder.is_dir() else ():
            check_place(folder / name)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if [*folder.glob("replicate-*.parquet")]:
        raise click.UsageError(f"{folder} is a pool itself: give the folder that it is in")
    found = stored(folder)  # so that what is damaged is found before anything is measured
    if rounds or runs:
        measure(folder, subject, rounds, runs)
        found = stored(folder)
    make_tables(folder, *found)
    command_line.say(f"everything is in {folder}")
    return 0


def measure(folder: Path, subject: Subject, rounds: int, runs: int) -> None:
    """Add rounds, then real gates of each kind, to what a folder holds.

    Raises:
        UsageError: where it holds what was measured on another machine, or for other gates.
    """
    try:
        pool.claim(folder / "pool", machine.machine(), 1, "cpu", subject.description)
    except ValueError as error:
        raise click.UsageError(f"{error}; give another --out") from None
    wanted = [kind for kind in KINDS for _ in range(runs)]
    parts = [MINUTES["round"]] * rounds + [MINUTES["gate"]] * len(wanted)
    with progress_in_parts(parts) as part:
        for number in range(1, rounds + 1):
            if number > 1:
                time.sleep(PAUSE_SECONDS)
            collect(folder, subject, part(COLLECTING, f"round {number} of {rounds}"))
        gates = folder / "gates"
        for number, kind in enumerate(wanted, 1):
            gate = real_gate(kind, folder, subject, part(REGRESSION, f"gate {number} of {len(wanted)}"))
            gates.mkdir(parents=True, exist_ok=True)
            moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
            write_text(gates / f"{moment}-{secrets.token_hex(4)}.json", json_text(gate))


def make_tables(folder: Path, pooled: Pool, gates: list[RealGate]) -> None:
    """Print the tables of a pool and its real gates, and write them to a folder.

    Raises:
        UsageError: where nothing says on which machine the replicates were measured.
        ClickException: where a process that replays gates has died.
    """
    pool_folder, here = folder / "pool", machine.machine()
    if pooled.replicates and not pooled.machine and not pool.is_of(pool_folder, here):
        raise click.UsageError(f"{pool_folder} has replicates of another machine, and no file of a round describes it")
    others = sum(set(one) != set(pooled.benchmarks) for one in pooled.replicates)
    if others:
        told = f"{count(others, 'replicate')} with other benchmarks than the newest"
        command_line.say(f"warning: {pool_folder} has {told}; the tables may leave them out", err=True)
    command_line.say("making the tables", err=True)
    start = time.monotonic()

    def counted(done: int, begun: int) -> None:
        minutes = (time.monotonic() - start) / 60
        command_line.say(f"{done} of {begun} parts of the tables are done after {minutes:.1f} min", err=True)

    about, processes = pool.description_of(pool_folder), len(os.sched_getaffinity(0))
    try:
        text = report(pooled, gates, here, pool.threads_of(pool_folder) or 1, about, processes, counted)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from None
    Console().print(Markdown(text))  # before it is written, which may fail
    listed = {"calibration.md": text, "gates.md": gates_listed(gates), "slowdowns.md": slowdowns_listed(pooled)}
    for name, content in listed.items():
        if content:
            write_text(folder / name, content)
