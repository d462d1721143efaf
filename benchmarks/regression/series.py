"""From the records of both sides to one log ratio per replicate, benchmark and metric."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.record import Record, benchmark_id
from benchmarks.regression.decide import Rule, Series

MIB = 2**20
Turns = Sequence[dict[str, Any]]


def key_of(record: Record) -> str:
    """Such as `torch_cell t64-b16-i128-h128/sequence/forward`."""
    return f"{record['implementation']} {benchmark_id(record)}"


def block_logs(turns: Turns) -> dict[int, float]:
    """Per block, the mean log time of its mirrored turns."""
    found: dict[int, list[float]] = defaultdict(list)
    for turn in turns:
        found[turn["block"]].append(math.log(turn["seconds"]))
    return {block: statistics.fmean(logs) for block, logs in found.items()}


def log_ratio(base: Turns, head: Turns) -> float:
    """The median over blocks of head's log time less base's, each taken inside its block."""
    before, now = block_logs(base), block_logs(head)
    return statistics.median(now[block] - before[block] for block in before if block in now)


def measured(record: Record, metric: str) -> float:
    """A record's value of a metric; one MiB on top of memory, so that nearly nothing has a ratio to nearly nothing."""
    if metric == "time":
        return float(record["seconds"])
    if metric == "start":
        return float(record["warm_first_call_seconds"])
    return float(record["peak_bytes"]) + MIB


def series(records: Iterable[Record], rules: Sequence[Rule], base: str = "base", head: str = "head") -> list[Series]:
    """One Series per benchmark and rule, of the replicates in which both sides are ok."""
    pairs: dict[str, dict[tuple[str, int], dict[str, Record]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        if record["side"] in (base, head) and record["status"] == "ok":
            pairs[key_of(record)][record["phase"], record["replicate"]][record["side"]] = record
    found = []
    for key, replicates in pairs.items():
        both = [pair for pair in replicates.values() if len(pair) == 2]
        if not both:
            continue
        for rule in rules:
            before, now = ([measured(pair[side], rule.metric) for pair in both] for side in (base, head))
            if rule.metric == "time":
                logs = [log_ratio(pair[base]["turns"], pair[head]["turns"]) for pair in both]
            else:
                logs = [math.log(b / a) for a, b in zip(before, now, strict=True)]
            found.append(Series(key, rule, tuple(logs), statistics.median(before), statistics.median(now)))
    return found
