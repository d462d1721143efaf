"""Rounds: the same run several times, each with fresh processes and caches, joined to one run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from benchmarks import json_files, processors
from benchmarks.metadata import Metadata
from benchmarks.record import Record, read_records, withdraw, write_records

PAUSE_SECONDS = 20.0
"""Between two rounds: what one round leaves in the machine is to have gone."""
ENVIRONMENT, RESULTS = "environment.json", "results.parquet"
"""The files of a run's folder that are read again."""
Item = TypeVar("Item")


def paced(rounds: Iterable[Item]) -> Iterator[Item]:
    """Yield what is to be done in each round, with a pause before each but the first."""
    for number, each in enumerate(rounds):
        if number:
            time.sleep(PAUSE_SECONDS)
        yield each


class Read(msgspec.Struct):
    """A run as its folder has it: one round, or some that were joined before."""

    folder: Path
    records: list[Record]
    described: Metadata

    @classmethod
    def of(cls, folder: Path) -> Read:
        """Read a folder; a ValueError says in one line what is wrong with it."""
        described = json_files.read(folder / ENVIRONMENT, Metadata)
        return cls(folder, read_records(folder / RESULTS), described)

    def kind(self) -> dict[str, Any]:
        """Return what all rounds of a run have in common, by what it is called."""
        machine, run = self.described.machine, self.described.run
        return {
            "the processor": processors.key(machine),
            "the GPU": machine.gpu,
            "the threads": run.threads,
            "the precision": run.precision,
            "the weights": run.weights,
            "the variables that slow a library": tuple(processors.slowed(self.described.variables)),
            "the baseline": run.baseline,
            "the blocks or turns": (run.blocks, run.turn_seconds),
            "what is measured": frozenset(
                (row.implementation, row.benchmark, row.device) for row in self.records
            ),
            "the code of an implementation": frozenset(
                (row.implementation, row.digest) for row in self.records
            ),
            "the versions": frozenset(
                [self.described.versions.get("python"), *(row.versions for row in self.records)]
            ),
        }


def is_whole(folder: Path) -> bool:
    """Return whether a round has ended, and its files can be read."""
    try:
        Read.of(folder)
    except ValueError:
        return False
    return True


def joined(runs: Sequence[Read], folder: Path) -> tuple[list[Record], Metadata]:
    """Write a run with the records of all rounds, which keep their run_ids, and the newest round's metadata with these.

    Returns:
        Both.

    Raises:
        ValueError: where they are not rounds of one run, or one is there twice.
    """
    first, *_ = runs = sorted(runs, key=lambda each: each.described.run.run_id)
    ids: list[str] = []
    for each in runs:
        if differ := [what for what, value in each.kind().items() if value != first.kind()[what]]:
            raise ValueError(
                f"{each.folder} is no round of the same run as {first.folder}: {differ[0]} differ"
            )
        mine = {row.run_id for row in each.records}
        if twice := mine.intersection(ids):
            raise ValueError(f"{each.folder} has round {min(twice)}, which another has too")
        ids += sorted(mine)
    records = [row for each in runs for row in each.records]
    withdraw(records)
    described = msgspec.structs.replace(runs[-1].described, rounds=tuple(sorted(ids)))
    json_files.write(folder / ENVIRONMENT, described)
    write_records(folder / RESULTS, records)
    return records, described
