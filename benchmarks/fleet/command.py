"""python -m benchmarks fleet: the same run or gate on many nodes, by Slurm, or one after the other on this machine."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from benchmarks import ROOT, choices
from benchmarks.fleet import folder as fleets
from benchmarks.fleet import plan, slurm
from benchmarks.fleet.folder import LOCAL, REGRESSION, RUN, SLURM, Fleet, Member
from benchmarks.fleet.job import Job
from benchmarks.fleet.verdict import NOTE, together
from benchmarks.record import RESULTS
from benchmarks.regression import outcome, report
from benchmarks.regression.command import to_summary
from benchmarks.tables import output
from impls.core import command_line
from impls.core.files import write_text
from impls.core.text import one_line

TIMEOUTS = 4
"""How often a run may reach its time limit and go on; at the next time it is given up."""


class Starting(click.Group):
    """A group whose command is `start` where none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does."""
        if not args or args[0] not in (*self.commands, "-h", "--help"):
            args = ["start", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=Starting, context_settings={"help_option_names": ["-h", "--help"]},
    epilog=command_line.examples("benchmarks fleet --local 2", "benchmarks fleet --nodes 4"),
)  # fmt: skip
def fleet() -> None:
    """The same run or gate on many nodes. `fleet start --help` has the options."""


folder_argument = click.argument(
    "folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False, resolve_path=True)
)


@fleet.command(context_settings={"ignore_unknown_options": True})
@click.option("--partition", metavar="A,B", help="Slurm's partitions.  [default: Slurm's own]")
@click.option(
    "--nodes", type=click.IntRange(min=1), help="Nodes in all, dealt out to the partitions."
)
@click.option(
    "--local",
    type=click.IntRange(min=1),
    metavar="N",
    help="Without Slurm: N runs, one after the other.",
)
@click.option(
    "--fleet", "place", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="A new folder.  [default: runs/DATE-fleet]",
)  # fmt: skip
@click.option(
    "--slurm", "extra", multiple=True, metavar="KEY=VALUE", help="Such as account=lab. Repeatable."
)
@click.argument(
    "given",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[OPTIONS OF bench | regression ITS OPTIONS]...",
)
@click.pass_context
def start(
    context: click.Context,
    partition: str | None,
    nodes: int | None,
    local: int | None,
    place: Path | None,
    extra: tuple[str, ...],
    given: tuple[str, ...],
) -> Any:
    """Start a run for each node, or a regression gate. Every other option is one of `bench`, or of `regression`."""
    if local and (partition or nodes or extra):
        raise click.UsageError("--local does not go with --partition, --nodes or --slurm")
    if not local and not slurm.present():
        raise click.UsageError(
            "there is no Slurm here (no sbatch); --local N runs N times on this machine"
        )
    command = REGRESSION if given[:1] == (REGRESSION,) else RUN
    if command == RUN:
        _check_installed("statsmodels")  # of the table at the end
    if not local:
        _check_installed("submitit")
    if not local and not nodes:
        raise click.UsageError("say how many nodes: --nodes N")
    sbatch = slurm.sbatch_options(extra)
    places = ["this machine"] * local if local else slurm.places(partition, nodes or 0)
    write = plan.gates(given[1:]) if command == REGRESSION else plan.runs(given)
    folder = choices.usable_out(place, "fleet").resolve()
    kept = Fleet(
        LOCAL if local else SLURM,
        tuple(Member(f"{number:03}", where) for number, where in enumerate(places, 1)),
        command,
    )
    write(folder, [member.name for member in kept.members])
    fleets.write(folder, kept)  # before any job is, since a job reads it
    command_line.say(f"the fleet is {folder}")
    if local:
        _measure_here(folder, kept)
        return context.invoke(collect, folder=folder)
    _submit(folder, kept, sbatch)
    command_line.say(
        f"{command_line.again('benchmarks', 'fleet', 'status', folder)}    (or cancel, collect)"
    )
    return 0


def _check_installed(package: str) -> None:
    try:
        importlib.import_module(package)
    except ModuleNotFoundError:
        raise click.UsageError(
            f"a fleet needs {package}; install the group `fleet` of pyproject.toml"
        ) from None


def _measure_here(folder: Path, kept: Fleet) -> None:
    """Measure one member after the other. Ctrl-C ends the present one and the fleet."""
    choices.heed_signals()
    for number, member in enumerate(kept.members):
        command_line.say(
            f"{member.name} has begun: {fleets.folder_of(folder, member.name) / 'log.txt'}"
        )
        Job(folder, member.name).measure()
        command_line.say(_lines(folder, kept)[0][number])


def _submit(folder: Path, kept: Fleet, sbatch: dict[str, str]) -> None:
    """Submit all jobs, and keep the id of each."""
    members = list(kept.members)
    for number, member in enumerate(kept.members):
        try:
            job = slurm.submit(
                Job(folder, member.name),
                member.asked,
                0 if kept.command == REGRESSION else TIMEOUTS,
                sbatch,
            )
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            what = f"; {number} were submitted before: fleet cancel {folder}" if number else ""
            said = f"{member.name} could not be submitted to {member.asked}: {error}{what}"
            raise click.ClickException(one_line(said)) from None
        members[number] = msgspec.structs.replace(member, job=job)
        fleets.write(folder, msgspec.structs.replace(kept, members=tuple(members)))
        command_line.say(f"submitted: {member.name} to {member.asked}, job {job}")


def _lines(folder: Path, kept: Fleet) -> tuple[list[str], int]:
    """Return a line for each member: what its job does; and how many have not ended."""
    states = slurm.states() if kept.cluster == SLURM else {}
    lines, going_on = [], 0
    for member in kept.members:
        over, state = fleets.ended(folder, member.name), states.get(member.job, "")
        run = fleets.run_of(folder, member.name)
        done, of_all = fleets.replicates_done(folder, member.name)
        measured = f"{done} of {of_all} replicates" if of_all else "nothing yet"
        whole = (run / RESULTS).exists()
        if kept.command == REGRESSION:
            try:
                measured = outcome.read(run).verdict
                whole = True
            except ValueError:
                measured = "no verdict"
        if kept.cluster == LOCAL and not over and not whole:
            state = "not ended"
        going_on += bool(state)
        if over and not state:
            said = f": {over.said}" if over.code not in (0, 1) else ""
            state = f"ended on {over.node}, exit code {over.code}{said}"
        elif whole and not state:
            state = "finished by hand"
        job = f", job {member.job}" if member.job else ""
        lines.append(
            f"{member.name}, {member.asked}{job}: {state or fleets.why_missing(folder, member)}; {measured}"
        )
    return lines, going_on


@fleet.command()
@folder_argument
def status(folder: Path) -> int:
    """Say what each job of a fleet does. Exit code 3 while some have not ended."""
    lines, going_on = _lines(folder, fleets.read(folder))
    for line in lines:
        command_line.say(line)
    return 3 if going_on else 0


@fleet.command()
@folder_argument
def cancel(folder: Path) -> int:
    """End the jobs of a fleet on Slurm. What they have measured is kept. Ctrl-C ends a fleet on this machine."""
    kept = fleets.read(folder)
    if kept.cluster == LOCAL:
        raise click.UsageError(f"{folder} is measured on this machine: end it with Ctrl-C")
    slurm.cancel(member.job for member in kept.members if member.job)
    again = command_line.again("benchmarks", "fleet", "collect", folder)
    command_line.say(f"all jobs are cancelled; a table of the runs that are whole: {again}")
    return 0


@fleet.command()
@folder_argument
def collect(folder: Path) -> int:
    """Make one table of the nodes that have ended. Of gates: one verdict over nodes."""
    if (
        fleets.read(folder).command == RUN
    ):  # in a process of its own: an error there cannot lose a measurement
        return subprocess.run(
            [sys.executable, "-m", "reports", "fleet", str(folder)], cwd=ROOT, check=False
        ).returncode
    result, title, strict = together(folder)
    line = result.last_line(strict)
    markdown = report.markdown(result, title, line, [NOTE])
    write_text(folder / "regression.md", markdown)
    to_summary(markdown)
    report.show(
        result, title, f"{line}; {command_line.near(folder / 'regression.md')}", output(190)
    )
    return result.exit_code(strict)
