"""Rounds: the same run several times, each with fresh processes and caches, joined to one run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from benchmarks import json_files, processors
from benchmarks.metadata import ENVIRONMENT, Metadata, read_metadata
from benchmarks.record import RESULTS, Record, read_records, withdraw, write_records

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

    def write(self) -> None:
        """Write its files. The last one says that it has ended."""
        json_files.write(self.folder / ENVIRONMENT, self.described)
        write_records(self.folder / RESULTS, self.records)

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


def joined(runs: Iterable[SavedRun], folder: Path) -> SavedRun:
    """Write a run with the records of all rounds, which keep their run_ids, and the newest round's metadata with these.

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
    joined = SavedRun(folder, records, described)
    joined.write()
    return joined
