"""python -m benchmarks fleet: the same run or gate on many nodes, by Slurm, or one after the other on this machine."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import msgspec

from benchmarks import ROOT, choices
from benchmarks.fleet import asked, scheduler, submit
from benchmarks.fleet import folder as fleets
from benchmarks.fleet.folder import CANCELLED, LOCAL, NODES, REGRESSION, RUN, SLURM, TWIN, Fleet, Member
from benchmarks.fleet.scheduler import GONE, SchedulerFailed
from benchmarks.fleet.verdict import Verdict
from benchmarks.regression import verdict_file
from benchmarks.regression.command import to_summary
from benchmarks.terminal import output
from impls.core import command_line, registry
from impls.core.files import write_text
from impls.core.text import one_line

WATCH_SECONDS = 5.0
MINUTES = 120
"""The time limit of a job. A run that reaches it is requeued, and goes on with what it has; a gate is given up."""


class Starting(click.Group):
    """A group whose command is `start` where none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does."""
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["start", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Starting, context_settings={"help_option_names": ["-h", "--help"]})
def fleet() -> None:
    """The same run or gate on many nodes: start (where nothing else is named), status, watch, cancel, collect."""


folder_argument = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))


@fleet.command(context_settings={"ignore_unknown_options": True})
@click.option("--partition", metavar="A,B", help="Slurm's partitions.  [default: Slurm's own]")
@click.option("--nodes", type=click.IntRange(min=1), help="Nodes in all, dealt out to the partitions.")
@click.option("--per-kind", type=click.IntRange(min=1), help="Nodes of each partition.")
@click.option("--local", type=click.IntRange(min=1), metavar="N", help="Without Slurm: N runs, one after the other.")
@click.option("--minutes", type=click.IntRange(min=1), default=MINUTES, show_default=True, help="Time limit of a job.")
@click.option(
    "--fleet",
    "place",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="[default: runs/DATE-fleet]",
)
@click.option("--slurm", "extra", multiple=True, metavar="KEY=VALUE", help="Such as account=lab. Repeatable.")
@click.option(
    "--watch", "watching", is_flag=True, help="Show the progress, then collect. Ctrl-C does not stop the jobs."
)
@click.argument("given", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF run | regression ITS OPTIONS]...")
def start(
    partition: str | None,
    nodes: int | None,
    per_kind: int | None,
    local: int | None,
    minutes: int,
    place: Path | None,
    extra: tuple[str, ...],
    watching: bool,
    given: tuple[str, ...],
) -> int:
    """Submit a run for each node, or a regression gate. Every other option is one of `run`, or of `regression`."""
    if importlib.util.find_spec("submitit") is None:
        raise click.UsageError("a fleet needs submitit; install the group `fleet` of pyproject.toml")
    if local and (partition or nodes or per_kind or extra):
        raise click.UsageError("--local does not go with --partition, --nodes, --per-kind or --slurm")
    sbatch = asked.sbatch_options(extra)
    if not local and not scheduler.present():
        raise click.UsageError("there is no Slurm here (no sbatch); --local N runs N times on this machine")
    gates = given[:1] == (REGRESSION,)
    whole, baseline = ([], "") if gates else asked.run_options(list(given))
    if not (local or nodes or per_kind):
        raise click.UsageError("say how many nodes: --nodes N, or --per-kind K of each partition")
    places = ["this machine"] * local if local else asked.slurm_nodes(partition, nodes, per_kind)
    if gates:
        whole = asked.gate_options(given[1:], len(places))
    folder = place or ROOT / "runs" / f"{time.strftime('%Y-%m-%d-%H%M%S')}-fleet"
    choices.usable_out(folder)
    folder = folder.resolve()
    (folder / NODES).mkdir()
    if not gates:
        twin = folder / f"{TWIN}.py"
        shutil.copyfile(registry.resolve(baseline).path, twin)
        whole += ["--impl", str(twin)]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    command = REGRESSION if gates else RUN
    kept = Fleet(LOCAL if local else SLURM, sys.executable, tuple(whole), (), visible, command, len(places))
    fleets.write(folder, kept)  # before any job is, since a job reads it
    for number, where in enumerate(places):
        name = fleets.name_of(number)
        # on this machine, a job's time runs while it waits for its turn
        how = (folder, name, minutes * (local or 1), 0 if gates else submit.TIMEOUTS)
        try:
            job = submit.here(*how) if local else submit.to_slurm(*how, where, sbatch)
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            what = f"; {len(kept.members)} were submitted before: fleet cancel {folder}" if kept.members else ""
            raise click.ClickException(one_line(f"{name} could not be submitted to {where}: {error}{what}")) from None
        kept = msgspec.structs.replace(kept, members=(*kept.members, Member(name, where, job)))
        fleets.write(folder, kept)
        command_line.say(f"submitted: {name} to {where}, job {job}")
    command_line.say(f"the fleet is {folder}")
    command_line.say(f"{sys.executable} -m benchmarks fleet status {folder}    (or watch, cancel, collect)")
    return _watch(folder) if watching else 0


def _read(folder: Path) -> Fleet:
    try:
        return fleets.read(folder)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _lines(folder: Path, kept: Fleet) -> tuple[list[str], int]:
    """Return a line for each member, and how many have not ended."""
    states = scheduler.states(kept.cluster, [member.job for member in kept.members])
    lines, going_on = [], 0
    for member in kept.members:
        over = fleets.ended(folder, member.name)
        done, of_all = fleets.replicates_done(folder, member.name)
        measured = f"{done} of {of_all} replicates" if of_all else "nothing yet"
        if kept.command == REGRESSION:
            with contextlib.suppress(ValueError):
                measured = verdict_file.read(fleets.run_of(folder, member.name)).verdict
        state = states[member.job]
        if over and state == GONE:
            state = f"ended on {over.node}, exit code {over.code}" + (
                f": {over.said}" if over.code not in (0, 1) else ""
            )
        elif state == GONE:
            state = "ended from outside"
        else:
            going_on += 1
        lines.append(f"{member.name}  {member.asked}  job {member.job}: {state}; {measured}")
    return lines, going_on


@fleet.command()
@folder_argument
def status(folder: Path) -> int:
    """Say what each job of a fleet does. Exit code 3 while some have not ended."""
    try:
        lines, going_on = _lines(folder, _read(folder))
    except SchedulerFailed as error:
        raise click.ClickException(f"Slurm: {error}") from None
    for line in lines:
        command_line.say(line)
    return 3 if going_on else 0


@fleet.command()
@folder_argument
def watch(folder: Path) -> int:
    """Show the progress until all jobs have ended, then collect. Ctrl-C does not stop the jobs."""
    return _watch(folder)


def _watch(folder: Path) -> int:
    kept, shown = _read(folder), ""
    while True:
        try:
            lines, going_on = _lines(folder, kept)
        except SchedulerFailed as error:  # such as a controller that is started again
            lines, going_on = [f"Slurm: {error}"], len(kept.members)
        said = "\n".join(lines)
        if said != shown:
            for line in lines:
                command_line.say(line)
            command_line.say(f"{going_on} of {len(lines)} have not ended")
            shown = said
        if not going_on:
            return _collect(folder)
        try:
            time.sleep(WATCH_SECONDS)
        except KeyboardInterrupt:
            command_line.say(
                f"the jobs have not ended; to watch them again: {sys.executable} -m benchmarks fleet watch {folder}",
                err=True,
            )
            return command_line.INTERRUPTED


@fleet.command()
@folder_argument
def cancel(folder: Path) -> int:
    """End the jobs of a fleet. What they have measured is kept."""
    kept = _read(folder)
    (folder / CANCELLED).touch()
    try:
        scheduler.cancel(kept.cluster, [member.job for member in kept.members])
    except SchedulerFailed as error:
        raise click.ClickException(f"Slurm: {error}") from None
    command_line.say(
        f"all jobs are cancelled; a table of the runs that are whole:"
        f" {sys.executable} -m benchmarks fleet collect {folder}"
    )
    return 0


@fleet.command()
@folder_argument
def collect(folder: Path) -> int:
    """Make one table of the nodes that have ended: does it hold on all of them? Of gates: one verdict over nodes."""
    return _collect(folder)


@fleet.command()
@folder_argument
def verdict(folder: Path) -> int:
    """Of gates: one verdict over the nodes that have ended. The exit code is that of a gate."""
    try:
        said = Verdict.read(folder)
        said.show(output(190))
        write_text(folder / "regression.md", said.markdown())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"{folder} can't be written to: {error.strerror or error}") from None
    to_summary(said.markdown())
    command_line.say(f"the table is {folder / 'regression.md'}")
    return said.exit_code


def _collect(folder: Path) -> int:
    """Report a fleet in a process of its own: an error there cannot lose a measurement."""
    gates = _read(folder).command == REGRESSION
    words = ["benchmarks", "fleet", "verdict"] if gates else ["reports", "fleet"]
    return subprocess.run([sys.executable, "-m", *words, str(folder.resolve())], cwd=ROOT, check=False).returncode
