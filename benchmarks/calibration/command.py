"""python -m benchmarks calibrate: how often the gate gives a false alarm, and which slowdowns it finds."""

from functools import partial
from pathlib import Path
from typing import Annotated

import click
from rich.markdown import Markdown

from benchmarks import ROOT, choices, json_files, machine
from benchmarks.bench.rounds import paced
from benchmarks.calibration import pool, report
from benchmarks.calibration.measuring import collect, real_gate
from benchmarks.calibration.pool import Pool
from benchmarks.calibration.real_gates import KINDS, gates_of
from benchmarks.calibration.report import DATA, TEXT
from benchmarks.calibration.subject import Subject
from benchmarks.cases import GATED_PROBLEM
from benchmarks.options import Flag, Options, command, new_run_id
from benchmarks.progress import COLLECTING, REGRESSION, Stage, progress
from benchmarks.tables import output
from impls.core import command_line
from impls.core.files import check_place, write_text


class CalibrateOptions(Options, frozen=True, kw_only=True):
    """The options of `calibrate`."""

    rounds: Annotated[
        int, Flag("--rounds", "Rounds to add to the pool.", click.IntRange(0, 1000))
    ] = 1
    runs: Annotated[
        int, Flag("--runs", "Real gates of each kind to run.", click.IntRange(0, 1000))
    ] = 1
    implementations: Annotated[
        tuple[str, ...],
        Flag(
            "--impl",
            "Which to compare. Repeatable.  [default: those of a gate]",
            metavar="NAME|FILE.py",
        ),
    ] = ()
    problems: Annotated[
        tuple[str, ...], Flag("--problem", "The problem of the gates.", metavar="ID")
    ] = (GATED_PROBLEM,)
    out: Annotated[
        str | None,
        Flag("--out", "The folder to add to.  [default: runs/calibration]", click.Path(), "DIR"),
    ] = None


@command(
    CalibrateOptions, "rounds", "runs", "implementations", "problems", "modes", "out",
    epilog=command_line.examples("benchmarks calibrate --rounds 6", "benchmarks calibrate --rounds 0 --runs 0"),
    defaults={"modes": "forward, train_step"},
)  # fmt: skip
def calibrate(options: CalibrateOptions) -> int:
    """Measure the gate itself: its false alarms, and what it finds.

    DIR keeps what was measured. Another calibration with the same DIR adds to it. calibration.md has the tables.
    `--rounds 0 --runs 0` makes them again.
    """
    folder = Path(options.out) if options.out else ROOT / "runs" / "calibration"
    measures = bool(options.rounds or options.runs)
    command_line.heed_signals()
    if not measures and not folder.is_dir():
        raise click.UsageError(f"{folder} is not a folder: there is nothing to make tables of")
    problem, *others = choices.choose_problems(options.problems, None, [GATED_PROBLEM])
    if others:
        raise click.UsageError("a calibration has one problem; give --problem once")
    with command_line.usage_errors():
        subject = Subject.of(options.implementations, problem.id, options.modes)
        _ = subject.snapshots  # what can't be copied is refused now
        if folder.is_dir():
            check_place(folder / TEXT)
    if measures:
        measure(folder, subject, options.rounds, options.runs)
    make_tables(folder)
    return 0


def measure(folder: Path, subject: Subject, rounds: int, runs: int) -> None:
    """Add rounds, then real gates of each kind, to what a folder holds."""
    try:
        pool.claim(folder / "pool", subject.identity(machine.machine()))
    except ValueError as error:
        raise click.UsageError(f"{error}; give another --out") from None
    for number in paced(range(1, rounds + 1)):
        with progress(COLLECTING, f"round {number} of {rounds}") as advance:
            collect(folder, subject, advance)
    gates = folder / "gates"
    total = runs * len(KINDS)
    for number in range(total):
        kind = [*KINDS][number // runs]
        with progress(REGRESSION, f"gate {number + 1} of {total}") as advance:
            gate = real_gate(kind, subject, advance)
        gates.mkdir(parents=True, exist_ok=True)
        json_files.write(gates / f"{new_run_id()}.json", gate)


def make_tables(folder: Path) -> None:
    """Print the tables of a folder's pool and real gates, and write them to it."""
    pooled = Pool.load(folder / "pool")
    with progress({Stage.COUNTING: 1.0}) as advance:
        rates = report.counted(pooled, partial(advance, Stage.COUNTING, "replayed gates"))
    text = report.report(pooled, gates_of(folder), rates)
    output().print(Markdown(text))  # before it is written, which may fail
    if pooled.identity:
        json_files.write(folder / DATA, report.calibration(pooled, rates))
    write_text(folder / TEXT, text)
    command_line.say(f"{report.answer(rates)} The tables are {command_line.near(folder / TEXT)}")
