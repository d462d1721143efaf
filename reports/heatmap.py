"""The map of implementations and shapes: each cell is a time over the baseline's, and its colour says how far off."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports import tracks
from reports.recommendation import PURPOSES, WORKLOAD
from reports.verdict import BASELINE, UNCLEAR

ENDS = (0.5, 0.7, 0.87, 0.97, 1.03, 1.15, 1.5, 2.5, 5.0)
"""The ratios at which the colour changes, from much faster to much slower than the baseline."""


@dataclass(frozen=True)
class Map:
    """The map of one purpose on one device: shapes across, implementations down, in the order of their tracks.

    A row has the implementation and its cells: the text of each, and the words that decide how it looks.
    """

    mode: str
    device: str
    shapes: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[str, str]]]]


def maps(summary: pd.DataFrame) -> Iterator[Map]:
    """Yield the map of each purpose that has at least two shapes and two implementations with a ratio."""
    asked = summary[summary["workload"] == WORKLOAD]
    for mode in PURPOSES:
        for device, rows in asked[asked["mode"] == mode].groupby("device", sort=False, observed=True):
            shapes = list(dict.fromkeys(rows["problem"].astype(str)))
            measured = rows[(rows["status"] == "ok") & rows["ratio"].notna()]
            if len(shapes) < 2 or measured["implementation"].nunique() < 2:
                continue
            cells = {(row.implementation, row.problem): _cell(row) for row in rows.itertuples(index=False)}
            lines = [(name, [cells.get((name, shape), ("–", "")) for shape in shapes]) for name in _ordered(rows)]
            yield Map(mode, str(device), shapes, lines)


def _ordered(rows: pd.DataFrame) -> list[str]:
    """Return the implementations by track, then by their mean log ratio; those without one come last."""

    def place(name: str) -> tuple[int, float]:
        mine = rows[rows["implementation"] == name]
        mean = mine["ratio"].map(math.log, na_action="ignore").mean()
        return tracks.rank(str(mine["track"].iloc[0])), math.inf if pd.isna(mean) else mean

    return sorted(dict.fromkeys(rows["implementation"].astype(str)), key=place)


def _cell(row: Any) -> tuple[str, str]:
    """Return the text of a cell, and a colour such as `b4`, with `unclear` where that is the verdict."""
    if row.status != "ok" or pd.isna(row.ratio):
        return "–" if row.status == "ok" else str(row.status), ""
    text = "1" if row.verdict == BASELINE else f"{row.ratio:.2f}" if row.ratio < 9.995 else f"{row.ratio:.0f}"
    return text, f"b{colour(row.ratio)}" + (" unclear" if row.verdict == UNCLEAR else "")


def colour(ratio: float) -> int:
    """Return the number of a ratio's colour: 0 is much faster than the baseline, 4 about equal, 9 much slower."""
    return sum(ratio > end for end in ENDS)
