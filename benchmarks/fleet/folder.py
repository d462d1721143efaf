"""The folder of a fleet: what was asked for, which jobs were submitted, and what became of each."""

from __future__ import annotations

from pathlib import Path

import msgspec

from impls.core.files import read_regular, write_text
from impls.core.text import json_text, one_line

FILE, NODES, LOGS = "fleet.json", "nodes", "logs"
SLURM, LOCAL = "slurm", "local"
RUN, REGRESSION = "run", "regression"
"""What each node of a fleet does: a command of `python -m benchmarks`."""
CANCELLED = "cancelled"
"""In the fleet's folder: jobs that wait for their turn are not to begin."""
ENDED = "ended.json"
"""In a member's folder: its job has ended, however it did."""
NOT_SUBMITTED = "its job was not submitted"
TWIN = "twin"
"""The name of the copy of the baseline that each run times too."""


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job of a fleet: the name of its folder, its node or partition as it was asked for, and the scheduler's id."""

    name: str
    asked: str
    job: str


class Fleet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of fleet.json.

    Attributes:
        cluster: slurm or local.
        python: the interpreter of the jobs.
        options: of the command.
        members: the jobs.
        visible: what CUDA_VISIBLE_DEVICES was where the fleet was started; None where it was not set.
        command: RUN or REGRESSION.
        asked: how many jobs there were to be; 0 in fleets of earlier versions, which did not say it.
    """

    cluster: str
    python: str
    options: tuple[str, ...]
    members: tuple[Member, ...]
    visible: str | None = None
    command: str = RUN
    asked: int = 0

    @property
    def not_submitted(self) -> list[str]:
        """The names of the members whose jobs were not submitted."""
        return [name_of(number) for number in range(len(self.members), self.asked)]


class Ended(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a job leaves when it has ended: its node, the exit code of its run, and the run's last line."""

    node: str
    code: int
    said: str
    attempts: int


def name_of(number: int) -> str:
    """Return the name of a member, from its number from 0."""
    return f"{number + 1:03}"


def read(folder: Path) -> Fleet:
    """Read fleet.json.

    Raises:
        ValueError: where there is none. One line.
    """
    try:
        return msgspec.json.decode(read_regular(folder / FILE), type=Fleet)
    except ValueError as error:
        raise ValueError(f"{folder} holds no fleet ({one_line(str(error))})") from None


def write(folder: Path, fleet: Fleet) -> None:
    """Write fleet.json."""
    write_text(folder / FILE, json_text(fleet))


def folder_of(folder: Path, member: str) -> Path:
    """Return the folder of a member: what its job writes."""
    return folder / NODES / member


def run_of(folder: Path, member: str) -> Path:
    """Return the folder of what a member measures."""
    return folder_of(folder, member) / "run"


def why_missing(folder: Path, over: Ended | None) -> str:
    """Return what is known of why a member of a fleet, which has ended so, has no result."""
    if over:
        return one_line(f"exit code {over.code}: {over.said}", 200)
    return "the fleet was cancelled" if (folder / CANCELLED).exists() else "it has not ended, or was killed"


def ended(folder: Path, member: str) -> Ended | None:
    """Return what a member's job has left at its end; None where it goes on, or was ended from outside."""
    try:
        return msgspec.json.decode(read_regular(folder_of(folder, member) / ENDED), type=Ended)
    except ValueError:
        return None


def replicates_done(folder: Path, member: str) -> tuple[int, int | None]:
    """Return how many replicates of a member's run are there, and how many there will be, where that is known."""
    run = run_of(folder, member)
    done = len(list((run / "raw").glob("replicate-*.parquet"))) if (run / "raw").is_dir() else 0
    try:
        return done, int(msgspec.json.decode(read_regular(run / "run.json"))["replicates"])
    except (ValueError, KeyError, TypeError):
        return done, None
