"""How long the slowest of 1,000 calls takes where each call is one step, and how much of that is the machine's."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.tables import Column
from benchmarks.words import duration, listed, span, two_digits
from impls.core.problem import Problem
from reports.estimates import intervals, sound
from reports.frames import ARM, BENCHMARK
from reports.history import lasting
from reports.report import Answer, Report
from reports.tables import ratio, word
from reports.tracks import PEAK

TITLE = "What is the p99 of a step?"
TIMES = {"p50": "seconds", "p99": "p99_seconds", "largest": "largest_seconds"}
"""The median, the 99th percentile and the largest of a turn's calls, by their fields."""


def tails(report: Report) -> pd.DataFrame:
    """Return a row for each ARM of a stream: its batch and track, and TIMES with _low and _high, in microseconds.

    Of a replicate, each is the median over its turns.
    """
    fields = [*TIMES.values()]
    of_turns = report.run.turns.dropna(subset=fields).groupby("record")[fields].median()
    arm = [*ARM, "batch", "track"]
    records = sound(report.run.records)[[*arm, "run_id"]].join(of_turns, how="inner")
    lasts = lasting(report.run, "time")
    rows = records[arm].drop_duplicates()
    for name, field in TIMES.items():
        logs = records.assign(log=np.log(1e6 * records[field]), round=records["run_id"])
        rows = rows.merge(intervals(logs, arm, name, lasts))
    return rows


def make(report: Report) -> Iterator[Answer]:
    """Yield the median, the 99th percentile and the largest of a turn's calls.

    The peak does nothing but multiply and add on one processor. So what its slowest calls take beyond its median is the
    machine's.
    """
    rows = tails(report)
    if rows.empty:
        return
    rows["position"] = rows.groupby("problem", sort=False).ngroup()
    peak = rows[rows["track"] == PEAK]
    added = peak[BENCHMARK].assign(machine=[_added(row) for row in peak.itertuples(index=False)])
    rows = rows[rows["track"] != PEAK].merge(added, on=BENCHMARK, how="left")
    rows = rows.sort_values(["position", "p99"])
    columns = (
        Column("where", "implementation, problem", _where, words=True),
        Column("p50", "p50, µs [95 %]", ratio("p50")),
        Column("p99", "p99, µs [95 %]", ratio("p99")),
        Column("largest", "largest of 1,000, µs [95 %]", ratio("largest")),
        Column("machine", "of that the machine's own: in p99, in the largest, µs", word("machine")),
    )
    contests = [contest for _, contest in rows.groupby(BENCHMARK, sort=False)]
    sentences = [_lowest(contest, report.baseline) for contest in contests]
    if len(contests) > 1:
        sentences.insert(0, _most_often(contests, report.baseline))
    yield Answer(TITLE, sentences, columns, rows)


def _where(row: Any) -> str:
    return f"{row.implementation}, {row.problem}"


def _most_often(contests: Sequence[pd.DataFrame], baseline: str) -> str:
    """Return what has the lowest p99 most often, how often others may be as low, and how much longer the baseline's is.

    `contests`: the rows of each benchmark, which have the lowest first.
    """
    winners = [contest["implementation"].iloc[0] for contest in contests]
    name, number = Counter(winners).most_common(1)[0]
    won = [contest for contest, winner in zip(contests, winners, strict=True) if winner == name]
    unclear = sum(not _near(contest).empty for contest in won)
    where = f"all {number}" if number == len(contests) else f"{number} of {len(contests)}"
    words = f"The lowest p99 is {name}'s at {where} sizes"
    if unclear:
        words += f"; at {unclear}, others may be as low"
    ratios = []
    for contest in won:
        ratios += [
            of_baseline / contest["p99"].iloc[0] for of_baseline in _p99_of(baseline, contest)
        ]
    if ratios and name != baseline:
        times = span([f"{ratio:.1f}" for ratio in sorted(ratios)])
        words += f". {baseline}'s is {times} × as long"
    return f"{words}."


def _p99_of(name: str, rows: pd.DataFrame) -> list[float]:
    """Return the p99 of an implementation in a benchmark's rows; nothing where it has none."""
    return [*rows.loc[rows["implementation"] == name, "p99"]]


def _near(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what may have as low a p99 as the first row."""
    others = rows.iloc[1:]
    return others.query("p99_low <= @rows.p99_high.iloc[0]")


def _lowest(rows: pd.DataFrame, baseline: str) -> str:
    """Return what has the lowest p99 of a benchmark's rows, which have the lowest first, and the baseline's."""
    best = rows.iloc[0]
    near = _near(rows)
    words = f"At {_sizes(best['problem'])}: {best['implementation']}, {duration(best['p99'] / 1e6)}"
    if best["implementation"] != baseline:
        for p99 in _p99_of(baseline, rows):
            words += f"; {baseline}, {duration(p99 / 1e6)}"
    if len(near):
        words += f". {listed([*near['implementation']])} may be as low"
    return f"{words}."


def _sizes(problem: str) -> str:
    """Return what a problem is whose steps come one by one, such as `batch 1, hidden size 32`, and its options."""
    whole = Problem.parse(problem)
    words = [f"batch {whole.batch}", f"hidden size {whole.hidden_size}"]
    if whole.input_size != whole.hidden_size:
        words.insert(1, f"input size {whole.input_size}")
    options = whole.id.split("-")[4:]
    return ", ".join([*words, *options])


def _added(peak: Any) -> str:
    """Return how much longer than the median the 99th percentile and the largest call take, in microseconds."""
    return f"+{two_digits(peak.p99 - peak.p50)}, +{two_digits(peak.largest - peak.p50)}"
