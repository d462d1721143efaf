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
from benchmarks.regression.log_ratios import key_of, measured
from benchmarks.statistics.ratios import block_logs
from benchmarks.words import listed

BASE, COPY = "base", "twin"
"""The labels of base and of its A/A copy: the same code. In published files the copy is called so."""
METRICS = ("time", "start", "memory")
IDENTITY, FILES = "pool.json", "replicate*.parquet"


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
        """Which LSTMs, problem and modes the gates compare, in words; empty for those of a gate without options."""
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
    if there is not None and (any(folder.glob(FILES)) or any(folder.parent.glob("gates/*.json"))):
        before, now = (processors.key(of.machine) for of in (there, identity))
        if before != now:
            raise ValueError(
                f"{folder} has replicates of another machine ({before}); this one is {now}"
            )
        gates, new = (
            f"gates of {of.gates}" if of.gates else "the default gates" for of in (there, identity)
        )
        if gates != new:
            raise ValueError(f"{folder.parent} has {gates}; these are {new}")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        json_files.write(folder / IDENTITY, identity)


class Round(msgspec.Struct, frozen=True):
    """What is known of a round: the machine, versions and commit, and how its sides are slowed; None for not at all."""

    described: Metadata
    work: str | None = None


def save(folder: Path, records: Sequence[Record]) -> None:
    """Write a replicate to a file, without the samples of its turns."""
    shortened = [
        msgspec.structs.replace(
            record,
            turns=[msgspec.structs.replace(turn, samples=None) for turn in record.turns or ()],
        )
        for record in records
    ]
    write_records(folder / f"replicate-{new_run_id()}.parquet", shortened, COMPARED)


@dataclass(frozen=True)
class Replicate:
    """A measured replicate, by benchmark and side.

    round: the id of its round.
    logs: the log time of the shorter turn in each block, shape (blocks,).
    values: the value of each metric.
    """

    round: str
    logs: dict[str, dict[str, np.ndarray]]
    values: dict[str, dict[str, dict[str, float]]]

    @classmethod
    def of(cls, records: Sequence[Record]) -> Replicate:
        """Return the replicate of its records, without those that failed."""
        logs: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
        values: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
        for record in records:
            if record.status == "ok" and record.turns:
                key, side = key_of(record), str(record.side)
                turns = record.turns
                seconds, block = (
                    np.array([getattr(turn, name) for turn in turns])
                    for name in ("seconds", "block")
                )
                logs[key][side] = block_logs(
                    seconds, np.zeros(len(turns), int), block, shortest=True
                ).log[0]
                values[key][side] = {name: measured(record, name) for name in METRICS}
        return cls(records[0].run_id, dict(logs), dict(values))

    def log_ratio(self, benchmark: str, base: str, head: str) -> float:
        """Return the log ratio of two sides, as log_ratios.log_ratio does."""
        before, now = (self.logs[benchmark][side] for side in (base, head))
        return float(np.median(now - before))


@dataclass(frozen=True)
class Pool:
    """Measured replicates, the kind of work in each round that has slowed sides by its run_id, and what all are of."""

    replicates: list[Replicate]
    works: dict[str, str]
    identity: Identity | None = None

    @classmethod
    def load(cls, folder: Path) -> Pool:
        """Read every replicate of a folder; a file holds one, or those of a published pool."""
        records: dict[tuple[str, int], list[Record]] = defaultdict(list)
        for path in sorted(folder.glob(FILES)):
            for record in read_records(path):
                records[record.run_id, record.replicate].append(record)
        replicates = [
            Replicate.of(each) for _, each in sorted(records.items())
        ]  # ids of rounds begin with the time
        rounds = [json_files.read(path, Round) for path in sorted(folder.glob("round-*.json"))]
        works = {begun.described.run.run_id: begun.work for begun in rounds if begun.work}
        return cls(replicates, works, identity_of(folder))

    def holding(self, sides: Iterable[str]) -> list[int]:
        """Return the indices of the replicates that hold all these sides in every benchmark."""
        wanted = set(sides)
        return [
            k
            for k, replicate in enumerate(self.replicates)
            if all(
                wanted <= set(replicate.logs.get(benchmark, {})) for benchmark in self.benchmarks
            )
        ]

    @property
    def benchmarks(self) -> list[str]:
        """The benchmarks of the newest replicate, such as `torch_cell t64-b16-i128-h128/sequence/forward`."""
        return sorted(self.replicates[-1].logs) if self.replicates else []

    def by_round(self, held: Iterable[int]) -> dict[str, list[int]]:
        """Return these replicates by their round."""
        rounds: dict[str, list[int]] = {}
        for k in held:
            rounds.setdefault(self.replicates[k].round, []).append(k)
        return rounds

    def logs(self, held: Iterable[int], side: str, benchmark: str) -> np.ndarray:
        """Return the log ratios of a side to base in these replicates."""
        return np.array([self.replicates[k].log_ratio(benchmark, BASE, side) for k in held])
