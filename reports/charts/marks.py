"""The data of charts: names, numbers with their intervals, and what each mark says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from impls.core.text import one_line


def words(rows: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return columns of names as a chart shows them: each on one line, with ▯ for a sign that Vega would cut in two."""
    lines = {name: rows[name].astype(str).map(one_line) for name in columns}
    return pd.DataFrame(lines).replace("[^\0-\uffff]", "▯", regex=True)


def said(rows: pd.DataFrame, sentence: Callable[[Any], str]) -> list[str]:
    """Return what the mark of each row says, on one line."""
    return [one_line(sentence(row)) for row in rows.itertuples(index=False)]


def points(rows: pd.DataFrame, number: str, sentence: Callable[[Any], str], *names: str) -> pd.DataFrame:
    """Return the data of points: columns of names, a number with low and high, and what each says.

    Low and high are missing where the interval is not finite.
    """
    low, high = rows[f"{number}_low"], rows[f"{number}_high"]
    known = high.map(math.isfinite)
    numbers = {number: rows[number].astype(float), "low": low.where(known), "high": high.where(known)}
    return words(rows, *names).assign(**numbers, said=said(rows, sentence))
