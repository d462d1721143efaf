"""Pools of measured replicates, which several calibrations add to.

What is damaged, or of another machine or of other gates, is a ValueError of one line with its path.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from benchmarks import json_files, processors
from benchmarks.cases import GATED, GATED_MODES, GATED_PROBLEM
from benchmarks.metadata import Metadata
from benchmarks.options import new_run_id
from benchmarks.processors import Machine
from benchmarks.record import COMPARED, Record, read_records, write_records
from benchmarks.regression.decision import GateKey
from benchmarks.regression.log_ratios import TIME, Sides, by_replicate, compare
from benchmarks.words import listed

BASE = "base"
COPY = "twin"
"""The label of base's A/A copy: the same code. In published files it is called so."""
IDENTITY = "pool.json"
REPLICATES = "replicate*.parquet"
DEFAULT = "the default LSTMs"


def name_of(share: float) -> str:
    """Return the label of a side with an injected slowdown, such as `+5%`."""
    return f"+{100 * share:g}%"


class Identity(msgspec.Struct, frozen=True):
    """What all replicates of a pool have in common: the machine, and which gates they are of.

    digest: of a file from elsewhere and of the modules beside it; empty where all LSTMs are of this suite.
    """

    machine: Machine
    implementations: tuple[str, ...] = tuple(sorted(GATED))
    problem: str = GATED_PROBLEM
    modes: tuple[str, ...] = GATED_MODES
    digest: str = ""

    @property
    def gates(self) -> str:
        """Which LSTMs, problem and modes the gates compare, in words; empty for a gate without options."""
        if self == Identity(self.machine):
            return ""
        modes = "" if self.modes == GATED_MODES else f", {listed(self.modes)}"
        code = f", code {self.digest}" if self.digest else ""
        return f"{listed(self.implementations)} at {self.problem}{modes}{code}"


def identity_of(folder: Path) -> Identity | None:
    """Return what a pool is of; None where there is none yet."""
    path = folder / IDENTITY
    return json_files.read(path, Identity) if path.exists() else None


def claim(folder: Path, identity: Identity) -> None:
    """Make a pool one of this machine and these gates."""
    there = identity_of(folder)
    measured = any(folder.glob(REPLICATES)) or any(folder.parent.glob("gates/*.json"))
    if there is None or not measured:
        folder.mkdir(parents=True, exist_ok=True)
        json_files.write(folder / IDENTITY, identity)
        return
    before = processors.key(there.machine)
    now = processors.key(identity.machine)
    if before != now:
        raise ValueError(
            f"{folder} has replicates of another machine ({before}); this one is {now}"
        )
    if there.gates != identity.gates:
        raise ValueError(
            f"{folder.parent} has gates of {there.gates or DEFAULT}; these are of {identity.gates or DEFAULT}"
        )


class Round(msgspec.Struct, frozen=True):
    """The machine, versions and commit of a round, and how its sides are slowed; None for not at all."""

    described: Metadata
    work: str | None = None


def save(folder: Path, records: Sequence[Record]) -> None:
    """Write a replicate to a file, after the samples of its turns are taken out."""
    for record in records:
        for turn in record.turns or ():
            turn.samples = None
    write_records(folder / f"replicate-{new_run_id()}.parquet", records, COMPARED)


@dataclass(frozen=True)
class Replicate:
    """A measured replicate: the id of its round, and what each side measured, by benchmark."""

    round: str
    sides: Sides


@dataclass(frozen=True)
class Pool:
    """Measured replicates, the kind of work in each round that has slowed sides by its run_id, and what all are of."""

    replicates: list[Replicate]
    works: dict[str, str]
    identity: Identity | None = None

    @classmethod
    def load(cls, folder: Path) -> Pool:
        """Read the replicates of a calibration, without what failed. A file holds one, or those of a published pool."""
        records: list[Record] = []
        for path in folder.glob(REPLICATES):
            records += read_records(path)
        measured = by_replicate(records)
        # the id of a round begins with its time
        replicates = [Replicate(key[0], measured[key]) for key in sorted(measured)]
        works = {}
        for path in folder.glob("round-*.json"):
            begun = json_files.read(path, Round)
            if begun.work:
                works[begun.described.run.run_id] = begun.work
        return cls(replicates, works, identity_of(folder))

    def holding(self, sides: Iterable[str]) -> list[int]:
        """Return the indices of the replicates that hold all these sides in every benchmark."""
        wanted = set(sides)
        benchmarks = self.benchmarks
        holding = []
        for k, replicate in enumerate(self.replicates):
            if all(wanted <= replicate.sides.get(name, {}).keys() for name in benchmarks):
                holding.append(k)
        return holding

    @property
    def benchmarks(self) -> list[GateKey]:
        """The benchmarks of the newest replicate, such as `torch_cell t64-b16-i128-h128/sequence/forward`."""
        return sorted(self.replicates[-1].sides) if self.replicates else []

    def by_round(self, replicates: Iterable[int]) -> dict[str, list[int]]:
        """Return the indices of some replicates by their round."""
        rounds: dict[str, list[int]] = defaultdict(list)
        for k in replicates:
            rounds[self.replicates[k].round].append(k)
        return rounds

    def logs(self, replicates: Iterable[int], side: str, benchmark: GateKey) -> np.ndarray:
        """Return the log ratios of a side's times to base's in some replicates."""
        measured = [self.replicates[k].sides[benchmark] for k in replicates]
        return np.array([compare(TIME, of_side[BASE], of_side[side])[0] for of_side in measured])
