"""What others have published at the run's problems, beside what the run measured."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.tables import Column
from benchmarks.words import count
from reports import formatting
from reports.frames import ARM
from reports.report import TIMES, Answer, Report, pair_ratios
from reports.tables import ratio, time_of, words_of

SECTION, ORDER, FROM = "elsewhere", 50, "every"
RATIO = ["ratio", "ratio_low", "ratio_high"]
FIGURES = Path(__file__).with_name("elsewhere.toml")


@cache
def figures() -> pd.DataFrame:
    """Return a row for each published figure, with the keys of elsewhere.toml as columns; what is not there is NaN."""
    return pd.DataFrame(tomllib.loads(FIGURES.read_text(encoding="utf-8"))["figure"])


def make(report: Report) -> Iterator[Answer]:
    """Yield the published figures that the run has a time for."""
    sound = report.sound[[*ARM, "position", "where", *TIMES, *RATIO]]
    found = figures().merge(sound, on=["problem", "mode", "implementation"], suffixes=("_published", ""))
    alone, to_baseline = found["other"].isna(), found["other"] == report.baseline
    shown = found[to_baseline & found["ratio"].notna()]  # as the tables have it
    pairs = found[~alone & ~to_baseline].drop(columns=RATIO)
    rows = pd.concat([shown, pair_ratios(report, pairs, "other"), found[alone]])
    if rows.empty:
        return
    columns = (
        words_of("where", "problem"),
        words_of("mode"),
        Column("of", "time of", _of, words=True),
        Column("published", "published", _published),
        Column("ours", "here [95 %]", _ours),
        words_of("what", "published as"),
        Column("on", "on", lambda row: f"{row.device_published}, {row.year}", words=True),
        words_of("source"),
    )
    yield Answer("What have others published?", _sentence(rows), columns, rows)


SENTENCE = "Published figures are from other machines, most of them GPUs, and from older versions."


def _sentence(rows: pd.DataFrame) -> str:
    """Return in how many published pairs the same one is faster here, in how many the other one.

    Here the whole interval must be on one side of 1.
    """
    pairs = rows[rows["other"].notna()]
    if pairs.empty:
        return SENTENCE
    above = pairs["ratio_published"] > 1
    slower, faster = pairs["ratio_low"] > 1, pairs["ratio_high"] < 1
    same, other = (slower & above | faster & ~above).sum(), (faster & above | slower & ~above).sum()
    if same == len(pairs):
        every = {1: "the published pair", 2: "both published pairs"}.get(same, f"all {same} published pairs")
        return f"In {every}, the same implementation is faster here. {SENTENCE}"
    unclear = len(pairs) - same - other
    rest = f"; in {unclear} the interval holds 1" if unclear else ""
    said = f"the same implementation is faster here in {same}, the other one in {other}{rest}"
    return f"Of {count(len(pairs), 'published pair')}, {said}. {SENTENCE}"


def _of(row: Any) -> str:
    return f"{row.implementation} over {row.other}" if isinstance(row.other, str) else str(row.implementation)


def _published(row: Any) -> str:
    if isinstance(row.other, str):
        return f"{row.ratio_published:.2f}"
    return formatting.duration(row.seconds_published)


def _ours(row: Any) -> str:
    return (ratio() if isinstance(row.other, str) else time_of())(row)
