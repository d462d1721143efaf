"""What others have published at the run's problems, beside what the run measured."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from benchmarks.columns import Column
from benchmarks.words import count
from reports import formatting
from reports.answers.answer import TIMES, Answer, pair_ratios
from reports.columns import ratio, word
from reports.frames import ARM, Run

RATIO = ["ratio", "ratio_low", "ratio_high"]
FIGURES = Path(__file__).with_name("elsewhere.toml")


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A published figure: the ratio of two implementations' times, or the seconds of one."""

    problem: str
    mode: str
    implementation: str
    what: str
    device: str
    year: int
    source: str
    other: str | None = None
    ratio: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Check that it has one figure, and that a ratio is one to something."""
        if (self.ratio is None) == (self.seconds is None) or (self.ratio is None) != (self.other is None):
            raise ValueError(f"{self.what}: needs either a ratio and `other`, or seconds")


class Figures(msgspec.Struct, forbid_unknown_fields=True):
    """The content of the file."""

    figure: list[Figure]


@cache
def figures() -> list[Figure]:
    """Return every published figure."""
    return msgspec.toml.decode(FIGURES.read_bytes(), type=Figures).figure


def elsewhere(run: Run, sound: pd.DataFrame) -> Iterator[Answer]:
    """Yield the published figures that the run has a time for.

    Args:
        run: the run.
        sound: the rows of its summary that answers are about and that have a time.
    """
    published = pd.DataFrame([msgspec.to_builtins(figure) for figure in figures()])
    found = published.rename(columns={"ratio": "ratio_published"}).merge(
        sound[[*ARM, "position", "where", *TIMES, *RATIO]],
        on=["problem", "mode", "implementation"],
        suffixes=("_published", ""),
    )
    alone, to_baseline = found["other"].isna(), found["other"] == run.baseline
    shown = found[to_baseline & found["ratio"].notna()]  # as the tables have it
    pairs = found[~alone & ~to_baseline].drop(columns=RATIO)
    rows = pd.concat([shown, pair_ratios(run, sound, pairs, "other"), found[alone]])
    if rows.empty:
        return
    columns = (
        Column("problem", "problem", word("where"), words=True),
        Column("mode", "mode", word("mode"), words=True),
        Column("of", "time of", _of, words=True),
        Column("published", "published", _published),
        Column("ours", "here [95 %]", _ours),
        Column("what", "published as", word("what"), words=True),
        Column("on", "on", lambda row: f"{row.device_published}, {row.year}", words=True),
        Column("source", "source", word("source"), words=True),
    )
    yield Answer("What have others published?", _sentence(rows), columns, list(rows.itertuples(index=False)))


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
    same, other = int((slower.where(above, faster)).sum()), int((faster.where(above, slower)).sum())
    unclear = len(pairs) - same - other
    if same == len(pairs):
        every = {1: "the published pair", 2: "both published pairs"}.get(same, f"all {same} published pairs")
        return f"In {every}, the same implementation is faster here. {SENTENCE}"
    said = f"the same implementation is faster here in {same}, the other one in {other}"
    rest = f"; in {unclear} the interval holds 1" if unclear else ""
    return f"Of {count(len(pairs), 'published pair')}, {said}{rest}. {SENTENCE}"


def _of(row: Any) -> str:
    return f"{row.implementation} over {row.other}" if isinstance(row.other, str) else str(row.implementation)


def _published(row: Any) -> str:
    if isinstance(row.other, str):
        return f"{row.ratio_published:.2f}"
    return formatting.duration(row.seconds_published)


def _ours(row: Any) -> str:
    if isinstance(row.other, str):
        return ratio()(row)
    return formatting.time_with_interval(row.seconds, row.seconds_low, row.seconds_high)
