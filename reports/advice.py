"""What a map of sizes advises between its cells, and how that held at shapes that it had not seen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
import pandas as pd

from reports.packages import packages_of
from reports.tracks import DEFAULT
from reports.verdict import FASTER

NEAR = 1.1
"""Advice is good where what it names takes at most so many times the time of the best that was measured."""


PLAIN = "of plain code"
LIBRARIES = {"torch": "PyTorch", "jax": "JAX"}
"""The libraries that most readers can't leave, by the names of their packages."""


@dataclass(frozen=True)
class Choice:
    """An implementation, and its ratio to the baseline at the cells around: from low to high, with their intervals."""

    implementation: str
    low: float
    high: float


@dataclass(frozen=True)
class Region:
    """A part of a map: from one batch to the next and from one hidden size to the next, or at one of them.

    Attributes:
        batches, hiddens: the sizes at its ends; the same one twice where it is at that size.
        mode: that of its rows.
        best: of all code; None where nothing is clearly faster than the baseline at any cell around.
        among: in the same way, of plain code and of each library in LIBRARIES.
    """

    batches: tuple[int, int]
    hiddens: tuple[int, int]
    mode: str
    best: Choice | None
    among: Mapping[str, Choice | None]

    @property
    def is_cell(self) -> bool:
        """Whether it was measured itself."""
        return self.batches[0] == self.batches[1] and self.hiddens[0] == self.hiddens[1]

    def has(self, batch: int, hidden: int) -> bool:
        """Whether sizes are in it."""
        return (
            self.batches[0] <= batch <= self.batches[1]
            and self.hiddens[0] <= hidden <= self.hiddens[1]
        )


def regions(cells: pd.DataFrame) -> Iterator[Region]:
    """Yield the regions of the rows of a map, see reports.sizes.maps: those at a size before those between sizes."""
    mode = str(cells["mode"].iloc[0])
    batches = _spans(cells["batch"])
    hiddens = _spans(cells["hidden"])
    for of_batch, of_hidden in product(batches, hiddens):
        around = cells[cells["batch"].isin(of_batch) & cells["hidden"].isin(of_hidden)]
        if len(around.drop_duplicates("problem")) < len({*of_batch}) * len({*of_hidden}):
            continue  # a cell was not measured
        packages = packages_of(around)
        among = {PLAIN: _choice(around[around["track"] == DEFAULT])}
        for package, library in LIBRARIES.items():
            uses = packages.map(lambda names, package=package: package in names)
            among[f"in {library}"] = _choice(around[uses])
        yield Region(of_batch, of_hidden, mode, _choice(around), among)


def _spans(sizes: pd.Series) -> list[tuple[int, int]]:
    """Return each size, twice, then each pair of neighbors."""
    ordered = sorted(map(int, sizes.unique()))
    return [*((size, size) for size in ordered), *pairwise(ordered)]


def _choice(around: pd.DataFrame) -> Choice | None:
    """Return what has the least mean ratio at the cells around, of what is clearly faster at one of them at least."""
    count = around["problem"].nunique()
    choices = []
    for name, rows in around.groupby("implementation"):
        if len(rows) == count and (rows["verdict"] == FASTER).any():
            mean = np.log(rows["ratio"]).mean()
            choice = Choice(str(name), rows["ratio_low"].min(), rows["ratio_high"].max())
            choices.append((mean, choice))
    mean, best = min(choices, default=(0.0, None), key=lambda each: each[0])
    return best if mean < 0 else None


def sentence(region: Region, baseline: str) -> str:
    """Return what a region advises, in a few sentences."""
    cells = len({*region.batches}) * len({*region.hiddens})
    parts = [f"batch {_between(region.batches)}", f"hidden size {_between(region.hiddens)}"]
    start = f"Not measured itself, but the {cells} sizes around it ({', '.join(parts)}):"
    if region.best is None:
        return f"{start} use {baseline}. Nothing is clearly faster at any of them."
    best = region.best
    takes = f"{best.implementation} takes {_range(best)} × {baseline}'s time there."
    advised = f"use {best.implementation}. {takes}"
    if best.high > 1:
        advised = f"they disagree. {takes} Measure yours, or use {baseline}."
    sentences = [f"{start} {advised}"]
    for among, choice in region.among.items():
        if choice is None:
            sentences.append(f"{_start(among)}: nothing is clearly faster than {baseline}.")
        elif choice != best:
            sentences.append(f"{_start(among)}: {choice.implementation}, {_range(choice)}.")
    return " ".join(sentences)


def _between(ends: tuple[int, int]) -> str:
    low, high = ends
    return f"{low}" if low == high else f"{low} and {high}"


def _start(words: str) -> str:
    return words[0].upper() + words[1:]


def _range(choice: Choice) -> str:
    return f"{choice.low:.2f} to {choice.high:.2f}"


@dataclass(frozen=True)
class Held:
    """How the advice of a map held at shapes that it has not seen.

    Attributes:
        shapes: how many shapes were measured.
        good: at how many of them what is advised is NEAR the best that was measured.
        worst: how many times the best's time what is advised takes where that is most.
        inside, ranges: at how many of those with a range the ratio was in it.
    """

    shapes: int
    good: int
    worst: float
    inside: int
    ranges: int


def held(cells: pd.DataFrame, unseen: pd.DataFrame) -> Held:
    """Return how the advice of a map held.

    Args:
        cells: the rows of the map.
        unseen: rows of other shapes in the same mode, see reports.sizes.sized.
    """
    known = list(regions(cells))
    times = []
    inside = []
    for _, rows in unseen.dropna(subset="ratio").groupby("problem"):
        first: Any = rows.iloc[0]
        region = next((each for each in known if each.has(first["batch"], first["hidden"])), None)
        if region is None:
            continue
        by_name = rows.set_index("implementation")["ratio"]
        choice = region.best
        ratio = 1.0
        if choice is not None:
            ratio = by_name[choice.implementation]
            inside.append(choice.low <= ratio <= choice.high)
        times.append(ratio / by_name.min())
    return Held(
        len(times),
        sum(time <= NEAR for time in times),
        max(times, default=1.0),
        sum(inside),
        len(inside),
    )
