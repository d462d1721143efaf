"""The log ratios of head to base, one per replicate, benchmark and metric, from the records of both sides."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.record import Record
from benchmarks.regression.decision import GateKey, LogRatios, Rule
from benchmarks.worker.timing import Turn

MIB = 2**20
SIDES = ("base", "head")
TIME = "time"


@dataclass(frozen=True)
class Measured:
    """What a gate compares of a record.

    logs: the log time of each block, shape (blocks,).
    values: the value of each metric, in its unit; NaN where it is unknown. Memory has 1 MiB on top, so that ratios of
        tiny values stay near 1.
    seconds: those of each turn, block by block, shape (turns,): other tools know no blocks.
    """

    logs: np.ndarray
    values: dict[str, float]
    seconds: np.ndarray

    @classmethod
    def of(cls, record: Record) -> Measured:
        """Return what is compared of a record that is ok."""
        peak = math.nan if record.peak_bytes is None else float(record.peak_bytes)
        values = {
            TIME: record.seconds or math.nan,
            "start": record.warm_first_call_seconds or math.nan,
            "memory": peak + MIB,
        }
        turns = sorted(record.turns or (), key=lambda turn: turn.block)
        return cls(block_logs(turns), values, np.array([turn.seconds for turn in turns]))


Sides = dict[GateKey, dict[str, Measured]]
"""What was measured in a replicate, by benchmark and side."""


def block_logs(turns: Iterable[Turn]) -> np.ndarray:
    """Return the log time of each block, shape (blocks,).

    In a block, the shorter of the two turns counts: what disturbs a turn makes it longer.
    """
    shortest: dict[int, float] = {}
    for turn in turns:
        shortest[turn.block] = min(turn.seconds, shortest.get(turn.block, math.inf))
    return np.log([shortest[block] for block in sorted(shortest)])


def compare(metric: str, base: Measured, head: Measured) -> tuple[float, float, float]:
    """Return the log ratio of head to base by a metric, base's value and head's.

    The log ratio of times is the median over the blocks.
    """
    before = base.values[metric]
    now = head.values[metric]
    if metric == TIME:
        return float(np.median(head.logs - base.logs)), before, now
    return math.log(now / before), before, now


def by_replicate(records: Iterable[Record]) -> dict[tuple[str, int], Sides]:
    """Return what is compared of the records that are ok, by the run's id and the number of the replicate."""
    replicates: dict[tuple[str, int], Sides] = defaultdict(dict)
    for record in records:
        if record.status == "ok":
            key = GateKey.of(record.implementation, record.benchmark)
            sides = replicates[record.run_id, record.replicate].setdefault(key, {})
            sides[str(record.side)] = Measured.of(record)
    return replicates


def of_records(records: Iterable[Record], rules: Sequence[Rule]) -> list[LogRatios]:
    """Return the log ratios of each rule, from the replicates in which both sides are ok.

    A benchmark has none where the metric is unknown in any of them. JAX tells a GPU's memory only where more was taken
    than before, so the replicates that have it are no fair choice.
    """
    pairs: dict[GateKey, list[dict[str, Measured]]] = defaultdict(list)
    for benchmarks in by_replicate(records).values():
        for key, sides in benchmarks.items():
            if len(sides) == len(SIDES):
                pairs[key].append(sides)
    most = max(map(len, pairs.values()), default=0)
    measured = []
    for rule in rules:
        keys: list[GateKey] = []
        n = []
        values = np.zeros((3, len(pairs), most))
        for key, of_benchmark in pairs.items():
            rows = np.array([compare(rule.metric, **sides) for sides in of_benchmark])
            if not np.isnan(rows).any():
                values[:, len(keys), : len(rows)] = rows.T
                n.append(len(rows))
                keys.append(key)
        logs, base, head = values[:, : len(keys)]
        measured.append(LogRatios(rule, logs, base, head, np.array(n, int), keys))
    return measured
