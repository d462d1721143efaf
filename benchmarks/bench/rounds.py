"""Rounds: the same run several times, each with fresh processes and caches, joined to one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from benchmarks import json_files, processors
from benchmarks.metadata import ENVIRONMENT, Metadata, read_metadata
from benchmarks.record import RESULTS, Record, read_records, withdraw, write_records
from benchmarks.words import listed
from impls.core import command_line

PAUSE_SECONDS = 20.0
"""Between two rounds: what one round leaves in the machine is to have gone."""
Item = TypeVar("Item")


def paced(rounds: Iterable[Item], due: Callable[[Item], float] = lambda _: 0.0) -> Iterator[Item]:
    """Yield what is to be done in each round: not before it is due, and with a pause after the one before.

    Args:
        rounds: what is to be done.
        due: returns the time.time() before which a round must not begin.
    """
    rested = 0.0
    for item in rounds:
        wait_until(max(rested, due(item)))
        yield item
        rested = time.time() + PAUSE_SECONDS


def wait_until(moment: float) -> None:
    """Wait until a time.time(); where that is more than a pause, say until when."""
    left = moment - time.time()
    if left > PAUSE_SECONDS:
        local = datetime.fromtimestamp(moment)
        command_line.say(f"the next round begins at {local:%Y-%m-%d %H:%M:%S}; waiting", err=True)
    while left > 0:
        time.sleep(min(left, PAUSE_SECONDS))  # in parts: a machine may be suspended meanwhile
        left = moment - time.time()


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

    @property
    def rounds(self) -> frozenset[str]:
        """The run_ids of its rounds."""
        return frozenset(self.described.rounds or [self.described.run.run_id])

    def kind(self) -> dict[str, Any]:
        """Return what all rounds of a run have in common, by what it is called. All of it can be hashed.

        A frozenset has tuples that begin with the name of an implementation.
        """
        described = self.described
        options = described.run
        cases = ((row.implementation, row.benchmark, row.device) for row in self.records)
        code = ((row.implementation, row.digest) for row in self.records)
        python = described.versions.get("python")
        versions = set()
        for row in self.records:
            # rows of before 2026-12 do not name their Python: it is the run's own
            of_packages = (row.versions or "").removesuffix(f", Python {python}")
            versions.add((row.implementation, of_packages))
        kind: dict[str, Any] = {
            "the processor": processors.key(described.machine),
            "the GPU": described.machine.gpu_with_driver,
            "the version of Python": python,
            "the variables that slow a library": tuple(processors.slowed(described.variables)),
            "the blocks or turns": (options.blocks, options.turn_seconds),
            "the benchmarks": frozenset(cases),
            "the code": frozenset(code),
            "the versions": frozenset(versions),
        }
        for name in ("threads", "precision", "weights", "baseline"):
            kind[f"the {name}"] = getattr(options, name)
        return kind


def differences(kind: dict[str, Any], other: dict[str, Any]) -> str:
    """Return in what two kinds differ, such as `the threads and the code of jax_scan`; empty where they do not."""
    found = []
    for what, value in kind.items():
        if value == other[what]:
            continue
        if isinstance(value, frozenset):
            names = {name for name, *_ in value ^ other[what]}
            found.append(f"{what} of {', '.join(sorted(names))}")
        else:
            found.append(what)
    return listed(found)


def joined(runs: Iterable[SavedRun], folder: Path) -> SavedRun:
    """Write a run with the records of all rounds, which keep their run_ids, and the newest round's metadata with these.

    A round that several have is there once.

    Raises:
        ValueError: where they are not rounds of one run.
    """
    runs = sorted(runs, key=lambda run: run.described.run.run_id)
    first = runs[0]
    ids: set[str] = set()
    systems: set[str] = set()
    records: list[Record] = []
    for saved in runs:
        differ = differences(saved.kind(), first.kind())
        if differ:
            raise ValueError(
                f"{saved.folder} is no round of the same run as {first.folder}: they differ in {differ}"
            )
        records += [row for row in saved.records if row.run_id not in ids]
        ids |= saved.rounds
        systems |= {*saved.described.systems, saved.described.machine.system}
    withdraw(records)
    described = msgspec.structs.replace(
        runs[-1].described, rounds=tuple(sorted(ids)), systems=tuple(sorted(systems))
    )
    joined = SavedRun(folder, records, described)
    joined.write()
    return joined
