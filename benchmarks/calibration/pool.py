"""Pools of real replicates, which several calibrations add to, and gates that are replayed on draws from a pool."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from benchmarks import processors
from benchmarks.metadata import Machine
from benchmarks.record import COMPARED, Record, read_records, write_records
from benchmarks.regression import decision
from benchmarks.regression.decision import LogRatios, Rule
from benchmarks.regression.log_ratios import key_of, measured, of_values
from benchmarks.regression.outcome import Steps
from benchmarks.statistics.ratios import block_logs
from impls.core.files import write_text

BASE, COPY = "base", "twin"
"""The labels of base and of its A/A copy: the same code."""
METRICS = ("time", "start", "memory")


def name_of(share: float) -> str:
    """Return the label of a side with an injected slowdown, such as `+5%`."""
    return f"+{100 * share:g}%"


def save(folder: Path, records: Sequence[Record]) -> None:
    """Write a replicate to a file, without the samples of its turns: a replay needs only turns."""
    kept = []
    for record in records:
        turns = [msgspec.structs.replace(turn, samples=None) for turn in record.turns or []]
        kept.append(msgspec.structs.replace(record, turns=turns))
    write_records(folder / f"replicate-{time.strftime('%Y%m%dT%H%M%S')}.parquet", kept, COMPARED)


def claim(folder: Path, machine: Machine) -> None:
    """Make a pool one of this machine; a pool from before machines were recorded stays without one.

    Raises:
        ValueError: where its replicates are from another machine. One line.
    """
    path, here = folder / "machine.txt", processors.key(machine)
    if path.exists():
        there = path.read_text(encoding="utf-8").strip()
        if there != here:
            raise ValueError(f"{folder} has replicates of another machine ({there}); this one is {here}")
    elif not any(folder.glob("replicate-*.parquet")):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, f"{here}\n")


@dataclass(frozen=True)
class Pool:
    """Measured replicates. Each is a dictionary by benchmark and side."""

    replicates: list[dict[str, dict[str, np.ndarray]]]
    """Seconds of each turn, in the order of the blocks."""
    logs: list[dict[str, dict[str, np.ndarray]]]
    """The mean log time in each block, shape (blocks,)."""
    values: list[dict[str, dict[str, dict[str, float]]]]
    """The value of each metric."""
    walls: list[dict[str, float]]
    """By side: the seconds of its turns, all benchmarks together."""

    @classmethod
    def load(cls, folder: Path) -> Pool:
        """Read every replicate of a folder, without the rows that failed.

        Raises:
            ValueError: where a file can't be read, or holds a replicate that another file holds too. One line.
        """
        replicates, logs, values, walls = [], [], [], []
        seen: dict[tuple[str, int], Path] = {}
        for path in sorted(folder.glob("replicate-*.parquet")):
            wall: dict[str, float] = defaultdict(float)
            value: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
            log: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
            replicate: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
            records = read_records(path)
            for key_of_file in {(record.run_id, record.replicate) for record in records}:
                if seen.setdefault(key_of_file, path) != path:
                    raise ValueError(f"{path} and {seen[key_of_file].name} hold the same replicate; remove one")
            for record in records:
                if record.status == "ok" and record.turns:
                    key, side = key_of(record), str(record.side)
                    turns = sorted(record.turns, key=lambda turn: turn.block)
                    seconds, block = (
                        np.array([getattr(turn, name) for turn in turns]) for name in ("seconds", "block")
                    )
                    replicate[key][side] = seconds
                    log[key][side] = block_logs(seconds, np.zeros(len(turns), int), block).log
                    value[key][side] = {name: measured(record, name) for name in METRICS}
                    wall[side] += sum(turn.wall_seconds or 0.0 for turn in turns)
            replicates.append(dict(replicate))
            logs.append(dict(log))
            values.append(dict(value))
            walls.append(dict(wall))
        return cls(replicates, logs, values, walls)

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
        """The benchmarks of all replicates."""
        return sorted({benchmark for replicate in self.replicates for benchmark in replicate})

    @property
    def blocks(self) -> int:
        """The number of blocks that every replicate has."""
        return min(len(logs) for replicate in self.logs for sides in replicate.values() for logs in sides.values())

    @property
    def base_seconds(self) -> float:
        """The mean seconds of base's turns in a replicate."""
        return sum(wall[BASE] for wall in self.walls) / len(self.walls)

    def log_ratio(self, replicate: int, benchmark: str, base: str, head: str, blocks: slice) -> float:
        """Return a replicate's log ratio from some of its blocks, as log_ratios.log_ratio does from all."""
        before, now = (self.logs[replicate][benchmark][side][blocks] for side in (base, head))
        return float(np.median(now - before))


@dataclass(frozen=True)
class Draw:
    """What a replayed gate called slower, by any metric and by time, and how many replicates it used."""

    slower: list[str]
    slower_time: list[str]
    used: int


def replay(
    pool: Pool, heads: Mapping[str, tuple[str, str]], rules: Sequence[Rule], steps: Steps, rng: random.Random
) -> Draw | None:
    """Replay a gate on replicates drawn without replacement; None where the pool is too small for it.

    Args:
        pool: the pool.
        heads: for each benchmark, the side that is taken for base and the side that is taken for head.
        rules: the rule of each metric.
        steps: how much the gate measures.
        rng: draws replicates and blocks.
    """
    order = pool.holding({side for pair in heads.values() for side in pair})
    rng.shuffle(order)
    if len(order) < steps.replicates:
        return None
    chosen, rest = order[: steps.replicates], order[steps.replicates :]
    start = rng.randrange(max(1, pool.blocks - steps.blocks + 1))

    def drawn(benchmark: str, rule: Rule, replicates: Sequence[int], blocks: slice) -> LogRatios:
        base, head = heads[benchmark]
        before, now = ([pool.values[k][benchmark][side][rule.metric] for k in replicates] for side in heads[benchmark])
        logs = None
        if rule.metric == "time":
            logs = [pool.log_ratio(k, benchmark, base, head, blocks) for k in replicates]
        return of_values(benchmark, rule, before, now, logs)

    few = slice(start, start + steps.blocks)
    screen = [drawn(benchmark, rule, chosen, few) for benchmark in heads for rule in rules]
    suspected = decision.suspects(screen)
    counts = decision.confirming_replicates(screen, suspected)
    most = max(counts.values(), default=0)
    if most > len(rest):
        return None
    everything = slice(0, steps.confirm_blocks)
    confirm = [
        drawn(screen[k].benchmark, screen[k].rule, rest[: counts[screen[k].benchmark]], everything) for k in suspected
    ]
    slower = [finding for finding in decision.verdicts(screen, suspected, confirm) if finding.verdict == "slower"]
    by_time = [finding.benchmark for finding in slower if finding.metric == "time"]
    return Draw([finding.benchmark for finding in slower], by_time, steps.replicates + most)
