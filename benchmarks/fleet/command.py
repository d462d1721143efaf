"""python -m benchmarks fleet: the same run or gate on many nodes, by Slurm, or one after the other on this machine."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from benchmarks import ROOT, out_folder
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
    cls=Starting, context_settings=command_line.HELP,
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
    if local:
        cluster = LOCAL
        places = ["this machine"] * local
    else:
        cluster = SLURM
        _check_installed("submitit")
        if not nodes:
            raise click.UsageError("say how many nodes: --nodes N")
        places = slurm.places(partition, nodes)
    sbatch = slurm.sbatch_options(extra)
    write = plan.runs(given) if command == RUN else plan.gates(given[1:])
    folder = out_folder.usable_out(place, "fleet").resolve()
    members = tuple(Member(f"{number:03}", where) for number, where in enumerate(places, 1))
    whole = Fleet(cluster, members, command)
    write(folder, [member.name for member in members])
    fleets.write(folder, whole)  # before any job is, since a job reads it
    command_line.say(f"the fleet is {folder}")
    if local:
        _measure_here(folder, whole)
        return context.invoke(collect, folder=folder)
    _submit(folder, whole, sbatch)
    again = command_line.again("benchmarks", "fleet", "status", folder)
    command_line.say(f"{again}    (or cancel, collect)")
    return 0


def _check_installed(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise click.UsageError(
            f"a fleet needs {package}; install the group `fleet` of pyproject.toml"
        )


def _measure_here(folder: Path, whole: Fleet) -> None:
    """Measure one member after the other. Ctrl-C ends the present one and the fleet."""
    command_line.heed_signals()
    for member in whole.members:
        log = fleets.folder_of(folder, member.name) / "log.txt"
        command_line.say(f"{member.name} has begun: {log}")
        code = Job(folder, member.name).measure()
        command_line.say(f"{member.name}: exit code {code}; {_measured(folder, whole, member)[0]}")


def _submit(folder: Path, whole: Fleet, sbatch: dict[str, str]) -> None:
    """Submit all jobs, and write the id of each to fleet.json."""
    members = list(whole.members)
    timeouts = 0 if whole.command == REGRESSION else TIMEOUTS
    for number, member in enumerate(whole.members):
        try:
            job = slurm.submit(Job(folder, member.name), member.asked, timeouts, sbatch)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            reason = f"{member.name} could not be submitted to {member.asked}: {error}"
            if number:
                reason += f"; {number} were submitted before: fleet cancel {folder}"
            raise click.ClickException(one_line(reason)) from None
        members[number] = msgspec.structs.replace(member, job=job)
        fleets.write(folder, msgspec.structs.replace(whole, members=tuple(members)))
        command_line.say(f"submitted: {member.name} to {member.asked}, job {job}")


def _measured(folder: Path, whole: Fleet, member: Member) -> tuple[str, bool]:
    """Return what a member has measured, in words, and whether that is all."""
    run = fleets.run_of(folder, member.name)
    if whole.command == REGRESSION:
        try:
            return outcome.read(run).verdict, True
        except ValueError:
            return "no verdict", False
    done, of_all = fleets.replicates_done(folder, member.name)
    words = f"{done} of {of_all} replicates" if of_all else "nothing yet"
    return words, (run / RESULTS).exists()


@fleet.command()
@folder_argument
def status(folder: Path) -> int:
    """Say what each job of a fleet does. Exit code 3 while some have not ended."""
    whole = fleets.read(folder)
    states = slurm.states() if whole.cluster == SLURM else {}
    code = 0
    for member in whole.members:
        measured, is_whole = _measured(folder, whole, member)
        end = fleets.ended(folder, member.name)
        if member.job in states:
            state = states[member.job]
            code = 3
        elif end:
            state = f"ended on {end.node}, exit code {end.code}"
            if end.code not in (0, 1):
                state += f": {end.said}"
        elif is_whole:
            state = "finished by hand"
        elif whole.cluster == LOCAL:
            state = "not ended"
            code = 3
        else:
            state = fleets.why_missing(folder, member)
        where = ", job ".join(filter(None, (member.asked, member.job)))
        command_line.say(f"{member.name}, {where}: {state}; {measured}")
    return code


@fleet.command()
@folder_argument
def cancel(folder: Path) -> int:
    """End the jobs of a fleet on Slurm. What they have measured stays. Ctrl-C ends a fleet on this machine."""
    whole = fleets.read(folder)
    if whole.cluster == LOCAL:
        raise click.UsageError(f"{folder} is measured on this machine: end it with Ctrl-C")
    slurm.cancel(member.job for member in whole.members if member.job)
    again = command_line.again("benchmarks", "fleet", "collect", folder)
    command_line.say(f"all jobs are cancelled; a table of the runs that are whole: {again}")
    return 0


@fleet.command()
@folder_argument
def collect(folder: Path) -> int:
    """Make one table of the nodes that have ended. Of gates: one verdict over nodes."""
    if fleets.read(folder).command == RUN:
        # in a process of its own: an error there cannot lose a measurement
        words = [sys.executable, "-m", "reports", "fleet", str(folder)]
        return subprocess.run(words, cwd=ROOT, check=False).returncode
    result, title, strict = together(folder)
    line = result.last_line(strict)
    markdown = report.markdown(result, title, line, [NOTE])
    write_text(folder / "regression.md", markdown)
    to_summary(markdown)
    line += f"; {command_line.near(folder / 'regression.md')}"
    report.show(result, title, line, output(190))
    return result.exit_code(strict)
