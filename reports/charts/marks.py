"""What several charts share: the rows that they draw, the words of their marks, logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import altair as alt
import pandas as pd

from impls.core.text import one_line
from reports.charts import style
from reports.headline import subject
from reports.report import PURPOSES, WORKLOAD, Report


def asked(report: Report, modes: Iterable[str] = PURPOSES) -> pd.DataFrame:
    """Return the rows to draw: these modes of a sequence; where there is none, those that the headline is about."""
    sound = report.summary[report.summary["status"] == "ok"]
    wanted = sound[(sound["workload"] == WORKLOAD) & sound["mode"].isin(list(modes))]
    return wanted if len(wanted) else sound[sound.index.isin(subject(report.summary).index)]


def where(device: object, *words: object) -> str:
    """Return the words of a benchmark for a title, such as `sequence, forward`; the CPU is not named."""
    return ", ".join(map(str, (*words, *([] if device == "cpu" else [device]))))


def words(rows: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return columns of names as a chart shows them: each on one line, with ▯ for a sign that Vega would cut in two."""
    lines = {name: rows[name].astype(str).map(one_line) for name in columns}
    return pd.DataFrame(lines).replace("[^\0-\uffff]", "▯", regex=True)


def said(rows: pd.DataFrame, sentence: Callable[[Any], str]) -> list[str]:
    """Return what the mark of each row says, on one line."""
    return [one_line(sentence(row)) for row in rows.itertuples(index=False)]


MOST = 8
"""The most panels; with more, the chart would be longer than a page."""


def first(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str], str]:
    """Return the rows of the first MOST problems, the names of these, and words for a title on what was left out."""
    every = list(dict.fromkeys(rows["problem"].astype(str)))
    more = f" (the first {MOST} of {len(every)} problems)" if len(every) > MOST else ""
    return rows[rows["problem"].isin(every[:MOST])], [one_line(name) for name in every[:MOST]], more


def points(rows: pd.DataFrame, number: str, sentence: Callable[[Any], str], *names: str) -> pd.DataFrame:
    """Return the data of points: columns of names, a number with low and high, and what each says.

    Low and high are missing where the interval is not finite.
    """
    low, high = rows[f"{number}_low"], rows[f"{number}_high"]
    known = high.map(math.isfinite)
    numbers = {number: rows[number].astype(float), "low": low.where(known), "high": high.where(known)}
    return words(rows, *names).assign(**numbers, said=said(rows, sentence))


def log_axis(
    title: str,
    ends: tuple[float, float],
    length: int,
    apart: int = 32,
    least: int = 3,
    form: str = "~g",
) -> dict[str, Any]:
    """Return the options of a logarithmic axis, as a channel has them.

    It has at most a tick for each `apart` pixels of its length, or `least` ticks.
    """
    ticks = style.ticks(*ends, max(least, length // apart))
    return {
        "scale": alt.Scale(type="log", domain=list(ends), nice=False, clamp=True),
        "axis": alt.Axis(values=ticks, title=title, grid=True, format=form),
    }
