"""Pools of real replicates, kept in files and added to over several runs, and gates replayed on draws from them."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.record import COMPARED, Record, read_records, write_records
from benchmarks.regression import decision
from benchmarks.regression.decision import LogRatios, Rule
from benchmarks.regression.log_ratios import key_of, measured
from benchmarks.regression.outcome import Steps
from benchmarks.statistics.ratios import block_logs

BASE, TWIN = "base", "twin"
METRICS = ("time", "start", "memory")


def name_of(share: float) -> str:
    """A planted side's name, such as `+5%`."""
    return f"+{100 * share:g}%"


def save(folder: Path, records: Sequence[Record]) -> None:
    """Write one replicate as a file. Single samples are left out: what is replayed are turns."""
    kept = []
    for record in records:
        turns = [msgspec.structs.replace(turn, samples=None) for turn in record.turns or []]
        kept.append(msgspec.structs.replace(record, turns=turns))
    write_records(folder / f"replicate-{time.strftime('%Y%m%dT%H%M%S')}.parquet", kept, COMPARED)


@dataclass(frozen=True)
class Pool:
    """Replicates as they were measured. Each is a dictionary by benchmark and side."""

    replicates: list[dict[str, dict[str, np.ndarray]]]
    """Seconds of each turn, in the order of the blocks."""
    logs: list[dict[str, dict[str, np.ndarray]]]
    """The mean log time in each block, shape (blocks,)."""
    values: list[dict[str, dict[str, dict[str, float]]]]
    """What a record says of each metric."""
    walls: list[dict[str, float]]
    """Per replicate and side: the seconds that its turns took, all benchmarks together."""

    @classmethod
    def load(cls, folder: Path) -> Pool:
        """Read every replicate of a folder; what failed in one is left out of it."""
        replicates, logs, values, walls = [], [], [], []
        for path in sorted(folder.glob("replicate-*.parquet")):
            wall: dict[str, float] = defaultdict(float)
            value: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
            log: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
            replicate: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
            for record in read_records(path):
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
        """Which replicates hold all these sides in every benchmark."""
        wanted, benchmarks = set(sides), set(self.benchmarks)
        return [k for k, one in enumerate(self.replicates) if all(wanted <= set(one.get(b, {})) for b in benchmarks)]

    @property
    def benchmarks(self) -> list[str]:
        """Those of any replicate."""
        return sorted({benchmark for one in self.replicates for benchmark in one})

    @property
    def blocks(self) -> int:
        """How many blocks every replicate has."""
        return min(len(logs) for one in self.logs for sides in one.values() for logs in sides.values())

    def log_ratio(self, replicate: int, benchmark: str, base: str, head: str, blocks: slice) -> float:
        """A replicate's log ratio, of some of its blocks: as series.log_ratio."""
        before, now = (self.logs[replicate][benchmark][side][blocks] for side in (base, head))
        return float(np.median(now - before))


@dataclass(frozen=True)
class Draw:
    """What one replayed gate called slower, by any metric and by time, and how many replicates it took."""

    slower: list[str]
    slower_time: list[str]
    used: int


def replay(
    pool: Pool, heads: Mapping[str, tuple[str, str]], rules: Sequence[Rule], steps: Steps, rng: random.Random
) -> Draw | None:
    """The gate's whole decision on replicates drawn without return; None where the pool is too small for it.

    `heads` says for each benchmark which side plays base and which head.
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
        if rule.metric == "time":
            logs = [pool.log_ratio(k, benchmark, base, head, blocks) for k in replicates]
        else:
            logs = [math.log(b / a) for a, b in zip(before, now, strict=True)]
        return LogRatios(benchmark, rule, tuple(logs), statistics.median(before), statistics.median(now))

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
    found = [one for one in decision.verdicts(screen, suspected, confirm) if one.verdict == "slower"]
    by_time = [one.benchmark for one in found if one.metric == "time"]
    return Draw([one.benchmark for one in found], by_time, steps.replicates + most)
