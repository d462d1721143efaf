"""The log ratios of head to base, one per replicate, benchmark and metric, from the records of both sides."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.record import Record
from benchmarks.regression.decision import GateKey, LogRatios, Rule
from benchmarks.statistics.ratios import block_logs
from benchmarks.worker.timing import Turn

MIB = 2**20
SIDES = ("base", "head")


def key_of(record: Record) -> GateKey:
    """Return the GateKey of what a record is of."""
    return GateKey(f"{record.implementation} {record.benchmark}")


def log_ratio(base: Sequence[Turn], head: Sequence[Turn]) -> float:
    """Return the log ratio of head's time to base's: the median over the blocks that both have.

    In a block, the shorter of a side's two turns counts: what disturbs a turn makes it longer.
    """
    turns = [*base, *head]
    seconds, block = (
        np.array([getattr(turn, name) for turn in turns]) for name in ("seconds", "block")
    )
    before, now = block_logs(
        seconds, np.repeat([0, 1], [len(base), len(head)]), block, shortest=True
    ).log
    return float(np.nanmedian(now - before))


def measured(record: Record, metric: str) -> float:
    """Return a record's value of a metric; NaN where it is not known.

    Memory gets 1 MiB on top, so that ratios of tiny values stay near 1.
    """
    if metric == "time":
        return float(record.seconds or math.nan)
    if metric == "start":
        return float(record.warm_first_call_seconds or math.nan)
    return math.nan if record.peak_bytes is None else float(record.peak_bytes) + MIB


def of_records(records: Iterable[Record], rules: Sequence[Rule]) -> list[LogRatios]:
    """Return the log ratios of each benchmark and rule, from the replicates in which both sides are ok.

    None where the metric is unknown in any of them. JAX tells a GPU's memory only where more was taken than before, so
    the replicates in which it is known are no fair choice.
    """
    replicates: dict[tuple[GateKey, int], dict[str, Record]] = defaultdict(dict)
    for record in records:
        if record.status == "ok":
            replicates[key_of(record), record.replicate][str(record.side)] = record
    pairs: dict[GateKey, list[tuple[Record, Record]]] = defaultdict(list)
    for (key, _), sides in replicates.items():
        if len(sides) == len(SIDES):
            pairs[key].append((sides["base"], sides["head"]))
    ratios = []
    for key, both in pairs.items():
        for rule in rules:
            base, head = (
                [measured(record, rule.metric) for record in side]
                for side in zip(*both, strict=True)
            )
            if np.isnan([*base, *head]).any():
                continue
            if rule.metric == "time":
                logs = [log_ratio(before.turns or (), now.turns or ()) for before, now in both]
            else:
                logs = [math.log(now / before) for before, now in zip(base, head, strict=True)]
            ratios.append(
                LogRatios(key, rule, tuple(logs), statistics.median(base), statistics.median(head))
            )
    return ratios
