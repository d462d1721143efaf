"""From the records of both sides to one log ratio per replicate, benchmark and metric."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.measurement.timing import Turn
from benchmarks.record import Record
from benchmarks.regression.decision import Rule, Series
from benchmarks.statistics.ratios import block_logs, log_ratios

MIB = 2**20


def key_of(record: Record) -> str:
    """Such as `torch_cell t64-b16-i128-h128/sequence/forward`."""
    return f"{record.implementation} {record.benchmark}"


def log_ratio(base: Sequence[Turn], head: Sequence[Turn]) -> float:
    """The median over blocks of head's log time less base's, each taken inside its block."""
    turns = [*base, *head]
    row = np.repeat([0, 1], [len(base), len(head)])
    logs = block_logs(np.array([turn.seconds for turn in turns]), row, np.array([turn.block for turn in turns]))
    return float(log_ratios(logs, np.array([1]), np.array([0]))[0])


def measured(record: Record, metric: str) -> float:
    """A record's value of a metric; memory gets one MiB on top, so that ratios of nearly nothing mean nothing."""
    if metric == "time":
        return float(record.seconds or math.nan)
    if metric == "start":
        return float(record.warm_first_call_seconds or math.nan)
    return float(record.peak_bytes or 0) + MIB


def series(records: Iterable[Record], rules: Sequence[Rule], base: str = "base", head: str = "head") -> list[Series]:
    """One Series per benchmark and rule, of the replicates in which both sides are ok."""
    pairs: dict[str, dict[tuple[str | None, int], dict[str, Record]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        if record.side in (base, head) and record.status == "ok":
            pairs[key_of(record)][record.phase, record.replicate][str(record.side)] = record
    found = []
    for key, replicates in pairs.items():
        both = [pair for pair in replicates.values() if len(pair) == 2]
        if not both:
            continue
        for rule in rules:
            before, now = ([measured(pair[side], rule.metric) for pair in both] for side in (base, head))
            if rule.metric == "time":
                logs = [log_ratio(pair[base].turns or (), pair[head].turns or ()) for pair in both]
            else:
                logs = [math.log(b / a) for a, b in zip(before, now, strict=True)]
            found.append(Series(key, rule, tuple(logs), statistics.median(before), statistics.median(now)))
    return found
