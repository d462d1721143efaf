"""The map of implementations and shapes: each cell is a time over the baseline's, and its colour says how far off."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from impls.core.text import one_line
from reports import tracks
from reports.recommendation import PURPOSES, WORKLOAD
from reports.tracks import FLOOR
from reports.verdict import BASELINE, UNCLEAR

ENDS = (0.5, 0.7, 0.87, 0.97, 1.03, 1.15, 1.5, 2.5, 5.0)
"""The ratios at which the colour changes, from much faster to much slower than the baseline."""


@dataclass(frozen=True)
class Cell:
    """The text of a cell, and the words that decide how it looks: a colour such as `b4`, and `unclear`."""

    text: str
    style: str


@dataclass(frozen=True)
class Map:
    """The map of one purpose on one device: shapes across, implementations down, in the order of their tracks."""

    mode: str
    device: str
    shapes: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]


def maps(summary: pd.DataFrame) -> Iterator[Map]:
    """Yield the map of each purpose that has at least two shapes and two implementations with a ratio."""
    asked = summary[(summary["workload"] == WORKLOAD) & (summary["track"] != FLOOR)]
    for mode in PURPOSES:
        for device, rows in asked[asked["mode"] == mode].groupby("device", sort=False, observed=True):
            shapes = list(dict.fromkeys(rows["problem"].astype(str)))
            measured = rows[(rows["status"] == "ok") & rows["ratio"].notna()]
            if len(shapes) < 2 or measured["implementation"].nunique() < 2:
                continue
            cells = [(one_line(name), _cells(rows, name, shapes)) for name in _ordered(rows)]
            yield Map(mode, str(device), [one_line(shape) for shape in shapes], cells)


def _ordered(rows: pd.DataFrame) -> list[str]:
    """Return the implementations by track, then by their mean log ratio; those without one come last."""
    names = {str(name): mine for name, mine in rows.groupby("implementation", sort=False, observed=True)}

    def place(name: str) -> tuple[int, float]:
        ratios = [math.log(ratio) for ratio in names[name]["ratio"].dropna()]
        return tracks.rank(str(names[name]["track"].iloc[0])), sum(ratios) / len(ratios) if ratios else math.inf

    return sorted(names, key=place)


def _cells(rows: pd.DataFrame, name: str, shapes: Sequence[str]) -> list[Cell]:
    mine = {str(row.problem): row for row in rows[rows["implementation"] == name].itertuples(index=False)}
    return [_cell(mine.get(shape)) for shape in shapes]


def _cell(row: object) -> Cell:
    if row is None:
        return Cell("–", "")
    status, ratio, verdict = (getattr(row, each) for each in ("status", "ratio", "verdict"))
    if status != "ok" or pd.isna(ratio):
        return Cell("–" if status == "ok" else str(status), "")
    text = "1" if verdict == BASELINE else f"{ratio:.2f}" if ratio < 9.995 else f"{ratio:.0f}"
    return Cell(text, f"b{colour(ratio)}" + (" unclear" if verdict == UNCLEAR else ""))


def colour(ratio: float) -> int:
    """Return the number of a ratio's colour: 0 is much faster than the baseline, 4 about equal, 9 much slower."""
    return sum(ratio > end for end in ENDS)
