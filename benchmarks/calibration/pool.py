"""Pools of real replicates, which several calibrations add to."""

from __future__ import annotations

import re
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from benchmarks import processors
from benchmarks.calibration import kept
from benchmarks.metadata import Machine, Metadata
from benchmarks.record import COMPARED, Record, read_records, write_records
from benchmarks.regression.log_ratios import key_of, measured
from benchmarks.statistics.ratios import block_logs
from benchmarks.worker.timing import Turn
from impls.core.files import read_regular, write_text
from impls.core.text import json_text

BASE, COPY = "base", "twin"
"""The labels of base and of its A/A copy: the same code."""
METRICS = ("time", "start", "memory")


def name_of(share: float) -> str:
    """Return the label of a side with an injected slowdown, such as `+5%`."""
    return f"+{100 * share:g}%"


class Collected(msgspec.Struct, frozen=True):
    """What is known of a session of a pool: the machine, versions and commit, the date, and how a side is slowed.

    work: the kind of work; None where no side is slowed.
    """

    described: Metadata
    date: str
    work: str | None = None

    @property
    def session(self) -> str:
        """The id of the session, which its records have as run_id."""
        return self.described.run.run_id


def describe(folder: Path, collected: Collected) -> None:
    """Write what is known of a session to a file."""
    write_text(folder / f"session-{collected.session}.json", json_text(collected))


def described(folder: Path) -> list[Collected]:
    """Return what is known of each session of a pool, the oldest first.

    Raises:
        ValueError: where a file is damaged. One line, with its path.
    """
    return [kept.read(path, Collected) for path in sorted(folder.glob("session-*.json"))]


KEPT = ("block", "position", "seconds", "wall_seconds", "steal_seconds", "pressure_seconds", "involuntary_switches")
"""What is kept of a turn beside the mean of its samples: what a replay needs, and how disturbed the machine was."""


def _mean(samples: list[float] | None) -> list[float] | None:
    return [statistics.fmean(samples)] if samples else None


def save(folder: Path, records: Sequence[Record]) -> None:
    """Write a replicate to a file, with the mean of each turn's samples and what is in KEPT."""
    shortened = []
    for record in records:
        turns = [
            Turn(**{name: getattr(turn, name) for name in KEPT}, samples=_mean(turn.samples))
            for turn in record.turns or []
        ]
        shortened.append(msgspec.structs.replace(record, turns=turns))
    moment, session = time.strftime("%Y%m%dT%H%M%S", time.gmtime()), records[0].run_id.rpartition("-")[2]
    write_records(folder / f"replicate-{moment}-{session}.parquet", shortened, COMPARED)


DESCRIBED = ", of "
"""What is between the machine and the LSTMs in the file that a pool claims."""


def claim(folder: Path, machine: Machine, threads: int, device: str = "cpu", what: str = "") -> None:
    """Make a pool one of this machine, device and number of threads; one from before that was recorded stays as it is.

    Args:
        folder: of the pool.
        machine: this one.
        threads: of a worker.
        device: where the workers compute.
        what: which LSTMs are measured at which problem, in words; empty for those of a gate without options.

    Raises:
        ValueError: where its replicates are from another machine, or of other gates. One line.
    """
    path, where = folder / "machine.txt", f"{processors.key(machine)}, threads a worker: {threads}"
    where += f", on {machine.gpu}" if device == "cuda" else ""
    measured = [
        *folder.glob("replicate-*.parquet"),
        *folder.parent.glob("gates/*.json"),
    ]
    if path.exists() and measured:
        there, described = _claimed(folder)
        if there != where:
            raise ValueError(f"{folder} has replicates of another machine ({there}); this one is {where}")
        if described != what:
            before, now = (f"gates of {one}" if one else "the default gates" for one in (described, what))
            raise ValueError(f"{folder.parent} has {before}; these are {now}")
    elif not measured:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, f"{where}{DESCRIBED if what else ''}{what}\n")


def _claimed(folder: Path) -> tuple[str, str]:
    """Return what a pool is of: the machine and threads, and the LSTMs; both empty where that was not recorded."""
    path = folder / "machine.txt"
    text = read_regular(path).decode("utf-8", "replace") if path.exists() else ""
    where, _, what = text.strip().partition(DESCRIBED)
    return where, what


def is_of(folder: Path, machine: Machine) -> bool:
    """Whether a pool is of a machine, or that was not recorded."""
    where = _claimed(folder)[0]
    return not where or where.startswith(f"{processors.key(machine)}, threads")


def threads_of(folder: Path) -> int | None:
    """Return the threads of each worker of a pool; None where that was not recorded."""
    found = re.search(r"threads a worker: (\d+)", _claimed(folder)[0])
    return int(found[1]) if found else None


def description_of(folder: Path) -> str:
    """Return in words which LSTMs were measured at which problem; empty for those of a gate without options."""
    return _claimed(folder)[1]


@dataclass(frozen=True)
class Pool:
    """Measured replicates. Each is a dictionary by benchmark and side."""

    replicates: list[dict[str, dict[str, np.ndarray]]]
    """Seconds of each turn, in the order of the blocks: the mean of its samples, or the median where that was kept."""
    logs: list[dict[str, dict[str, np.ndarray]]]
    """The log time of the shorter turn in each block, shape (blocks,)."""
    values: list[dict[str, dict[str, dict[str, float]]]]
    """The value of each metric."""
    sessions: list[str]
    """The session of each replicate: the run_id of its records."""
    works: dict[str, str]
    """By session: with what kind of work its sides are slowed; none where that was not recorded."""
    machine: Machine | None = None
    """Where the newest session was measured; None where that was not recorded."""

    @classmethod
    def load(cls, folder: Path) -> Pool:
        """Read every replicate of a folder, without the rows that failed.

        Raises:
            ValueError: where a file can't be read, is no whole replicate, or holds one that another file holds too; or
                where sessions are of different machines. One line.
        """
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is not a folder")
        replicates, logs, values, sessions = [], [], [], []
        seen: dict[tuple[str, int], Path] = {}
        for path in sorted(folder.glob("replicate-*.parquet")):
            value: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
            log: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
            replicate: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
            records = read_records(path)
            for key_of_file in {(record.run_id, record.replicate) for record in records}:
                if seen.setdefault(key_of_file, path) != path:
                    raise ValueError(f"{path} holds the same replicate as {seen[key_of_file].name}")
            for record in records:
                if record.status == "ok" and record.turns:
                    key, side = key_of(record), str(record.side)
                    turns = sorted(record.turns, key=lambda turn: turn.block)
                    seconds, block = (
                        np.array([getattr(turn, name) for turn in turns]) for name in ("seconds", "block")
                    )
                    replicate[key][side] = np.array(
                        [turn.samples[0] if turn.samples else turn.seconds for turn in turns]
                    )
                    log[key][side] = block_logs(seconds, np.zeros(len(turns), int), block, shortest=True).log
                    value[key][side] = {name: measured(record, name) for name in METRICS}
            if not replicate:
                raise ValueError(f"{path} holds no times")
            for key, of_side in log.items():
                if len({len(blocks) for blocks in of_side.values()}) > 1:
                    raise ValueError(f"{path} has more blocks of one side than of another, of {key}")
            replicates.append(dict(replicate))
            logs.append(dict(log))
            values.append(dict(value))
            sessions.append(records[0].run_id)
        known = described(folder)
        machines = list(dict.fromkeys(processors.key(one.described.machine) for one in known))
        if len(machines) > 1:
            raise ValueError(f"{folder} has sessions of different machines: {'; '.join(machines)}")
        works = {one.session: one.work for one in known if one.work}
        return cls(replicates, logs, values, sessions, works, known[-1].described.machine if known else None)

    def holding(self, sides: Iterable[str]) -> list[int]:
        """Return the indices of the replicates that hold all these sides in every benchmark."""
        wanted, benchmarks = set(sides), set(self.benchmarks)
        return [
            k
            for k, replicate in enumerate(self.replicates)
            if all(wanted <= set(replicate.get(benchmark, {})) for benchmark in benchmarks)
        ]

    @property
    def benchmarks(self) -> list[str]:
        """The benchmarks of the newest replicate. Older ones that lack one of them are not used."""
        return sorted(self.replicates[-1]) if self.replicates else []

    def log_ratio(self, replicate: int, benchmark: str, base: str, head: str) -> float:
        """Return a replicate's log ratio, as log_ratios.log_ratio does."""
        before, now = (self.logs[replicate][benchmark][side] for side in (base, head))
        return float(np.median(now - before))
