"""Rounds: the same run several times, each with fresh processes and caches, joined to one run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from benchmarks import json_files, processors
from benchmarks.bench import run
from benchmarks.bench.run_options import RunOptions, resumed
from benchmarks.metadata import ENVIRONMENT, Metadata, read_metadata
from benchmarks.options import new_run_id
from benchmarks.record import RESULTS, Record, read_records, withdraw, write_records
from impls.core import command_line

PAUSE_SECONDS = 20.0
"""Between two rounds: what one round leaves in the machine is to have gone."""
Item = TypeVar("Item")


def paced(rounds: Iterable[Item]) -> Iterator[Item]:
    """Yield what is to be done in each round, with a pause before each but the first."""
    for number, item in enumerate(rounds):
        if number:
            time.sleep(PAUSE_SECONDS)
        yield item


class SavedRun(msgspec.Struct):
    """A run as its folder has it: one round, or some that were joined before."""

    folder: Path
    records: list[Record]
    described: Metadata

    @classmethod
    def read(cls, folder: Path) -> SavedRun:
        """Read a folder; a ValueError says in one line what is wrong with it."""
        described = read_metadata(folder / ENVIRONMENT)
        return cls(folder, read_records(folder / RESULTS), described)

    def kind(self) -> dict[str, Any]:
        """Return what all rounds of a run have in common, by what it is called. All of it can be hashed."""
        described = self.described
        options = described.run
        cases = ((row.implementation, row.benchmark, row.device) for row in self.records)
        code = ((row.implementation, row.digest) for row in self.records)
        kind: dict[str, Any] = {
            "the processor": processors.key(described.machine),
            "the GPU": described.machine.gpu_with_driver,
            "the version of Python": described.versions.get("python"),
            "the variables that slow a library": tuple(processors.slowed(described.variables)),
            "the blocks or turns": (options.blocks, options.turn_seconds),
            "what is measured": frozenset(cases),
            "the code of an implementation": frozenset(code),
            "the versions": frozenset(row.versions for row in self.records),
        }
        for name in ("threads", "precision", "weights", "baseline"):
            kind[f"the {name}"] = getattr(options, name)
        return kind


def joined(runs: Sequence[SavedRun], folder: Path) -> tuple[list[Record], Metadata]:
    """Write a run with the records of all rounds, which keep their run_ids, and the newest round's metadata with these.

    Returns:
        Both.

    Raises:
        ValueError: where they are not rounds of one run, or one is there twice.
    """
    runs = sorted(runs, key=lambda run: run.described.run.run_id)
    first = runs[0]
    kind = first.kind()
    ids: set[str] = set()
    records: list[Record] = []
    for saved in runs:
        for what, value in saved.kind().items():
            if value != kind[what]:
                raise ValueError(
                    f"{saved.folder} is no round of the same run as {first.folder}: {what} differ"
                )
        own_ids = {row.run_id for row in saved.records}
        if not ids.isdisjoint(own_ids):
            twice = min(ids & own_ids)
            raise ValueError(f"{saved.folder} has round {twice}, which another has too")
        ids |= own_ids
        records += saved.records
    withdraw(records)
    described = msgspec.structs.replace(runs[-1].described, rounds=tuple(sorted(ids)))
    json_files.write(folder / ENVIRONMENT, described)
    write_records(folder / RESULTS, records)
    return records, described


def is_whole(folder: Path) -> bool:
    """Return whether a round has ended, and its files can be read."""
    try:
        SavedRun.read(folder)
    except ValueError:
        return False
    return True


def measure(options: RunOptions, folder: Path) -> tuple[list[Record], Metadata]:
    """Do the rounds that are left to do, each in a folder of its own, and join all."""
    places = [folder / f"round-{number}" for number in range(1, options.rounds + 1)]
    for place in paced(place for place in places if not is_whole(place)):
        command_line.say(f"{place.name} of {options.rounds}", err=True)
        place.mkdir(exist_ok=True)
        if not (place / "run.json").exists():
            of_round = msgspec.structs.replace(options, rounds=1, run_id=new_run_id())
            json_files.write(place / "run.json", of_round)
        of_round, _ = resumed(RunOptions(resume=str(place)))
        run.measure(of_round, place)
    try:
        return joined([SavedRun.read(place) for place in places], folder)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
