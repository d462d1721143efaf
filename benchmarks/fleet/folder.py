"""The folder of a fleet: which jobs were submitted, and what became of each."""

from pathlib import Path

import click
import msgspec

from benchmarks import json_files
from impls.core.text import one_line

FILE = "fleet.json"
SLURM = "slurm"
LOCAL = "local"
RUN = "run"
REGRESSION = "regression"
"""What each node of a fleet does, as fleet.json has it."""
ENDED = "ended.json"
"""In a member's folder: its job has ended, however it did."""
TWIN = "twin"
"""The name of the copy of the baseline that each run times too."""


class Member(msgspec.Struct, frozen=True):
    """A job of a fleet: the name of its folder, where it was asked for, and Slurm's id; without one until submitted."""

    name: str
    asked: str
    job: str = ""


class Fleet(msgspec.Struct, frozen=True):
    """The content of fleet.json: slurm or local, the jobs, and RUN or REGRESSION."""

    cluster: str
    members: tuple[Member, ...]
    command: str = RUN


class Ended(msgspec.Struct, frozen=True):
    """What a job leaves when it has ended: its node, the exit code of its run, and the run's last line."""

    node: str
    code: int
    said: str
    attempts: int


class Size(msgspec.Struct):
    """How much a run measures, as its run.json has it."""

    replicates: int
    rounds: int = 1


def read(folder: Path) -> Fleet:
    """Read fleet.json."""
    try:
        return json_files.read(folder / FILE, Fleet)
    except ValueError as error:
        raise click.UsageError(f"{folder} holds no fleet ({one_line(str(error))})") from None


def write(folder: Path, fleet: Fleet) -> None:
    """Write fleet.json."""
    json_files.write(folder / FILE, fleet)


def folder_of(folder: Path, member: str) -> Path:
    """Return the folder of a member: what its job writes."""
    return folder / "nodes" / member


def run_of(folder: Path, member: str) -> Path:
    """Return the folder of what a member measures."""
    return folder_of(folder, member) / "run"


def gate_of(folder: Path, member: str) -> Path:
    """Return the file with the options of a member's gate."""
    return folder_of(folder, member) / "gate.json"


def ended(folder: Path, member: str) -> Ended | None:
    """Return what a member's job has left at its end; None where it goes on, or was ended from outside."""
    try:
        return json_files.read(folder_of(folder, member) / ENDED, Ended)
    except ValueError:
        return None


def node_of(folder: Path, member: Member) -> str:
    """Return the node on which a member's job has ended, or else where it was asked for."""
    end = ended(folder, member.name)
    return end.node if end else member.asked


def why_missing(folder: Path, member: Member) -> str:
    """Return why a member of a fleet has no result, as far as can be told."""
    if end := ended(folder, member.name):
        return one_line(f"exit code {end.code}: {end.said}", 200)
    return "it has not begun, has not ended, or was ended from outside"


def replicates_done(folder: Path, member: str) -> tuple[int, int | None]:
    """Return how many replicates of a member's run are there, and how many there will be; None for a gate."""
    run = run_of(folder, member)
    done = len(list(run.glob("**/raw/replicate-*.parquet")))
    try:
        size = json_files.read(run / "run.json", Size)
    except ValueError:
        return done, None
    return done, size.rounds * size.replicates
