"""What a map of sizes advises between its cells, and how that held at shapes that it had not seen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reports.packages import packages_of
from reports.tracks import DEFAULT, called
from reports.verdict import BASELINE, FASTER

NEAR = 1.1
"""Advice is good where what it names takes at most so many times the time of the best that was measured."""


PLAIN = "plain code"
LIBRARIES = {"torch": "PyTorch", "jax": "JAX"}
"""The libraries that most readers can't leave, by the names of their packages."""


@dataclass(frozen=True)
class Choice:
    """An implementation, and its ratio to the baseline at the cells around.

    Attributes:
        track: what kind of code it is, see reports.tracks.
        low, high: the ends of the ratios' intervals.
        mean: the geometric mean of the ratios.
    """

    implementation: str
    track: str
    low: float
    high: float
    mean: float

    @property
    def called(self) -> str:
        """Its name, and what it is where that is not plain code."""
        return called(self.implementation, self.track)


@dataclass(frozen=True)
class Region:
    """A part of a map: from one batch to the next and from one hidden size to the next, or at one of them.

    Attributes:
        batches, hiddens: the sizes at its ends; the same one twice where it is at that size.
        mode: that of its rows.
        best: of all code; None where nothing is clearly faster than the baseline at any cell around.
        among: of plain code and of each library in LIBRARIES: in the same way; of a library without the baseline, what
            takes least, and what plain code does.
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
        plain = around["track"] == DEFAULT
        among = {PLAIN: _faster(around[plain])}
        packages = packages_of(around)
        for package, library in LIBRARIES.items():
            uses = packages.map(lambda names, package=package: package in names)
            if (around["verdict"][uses] == BASELINE).any():
                among[library] = _faster(around[uses])
            else:
                of_library = {
                    library: _least(around[uses]),
                    f"plain {library}": _least(around[uses & plain]),
                }
                among |= {name: choice for name, choice in of_library.items() if choice}
        yield Region(of_batch, of_hidden, mode, _faster(around), among)


def _spans(sizes: pd.Series) -> list[tuple[int, int]]:
    """Return each size, twice, then each pair of neighbors."""
    ordered = sorted(map(int, sizes.unique()))
    return [*((size, size) for size in ordered), *pairwise(ordered)]


def _faster(around: pd.DataFrame) -> Choice | None:
    """Return what _least does, of what is clearly faster than the baseline at one of the cells around at least."""
    faster = {*around["implementation"][around["verdict"] == FASTER]}
    choices = (each for each in _choices(around) if each.implementation in faster)
    best = next(choices, None)
    return best if best and best.mean < 1 else None


def _least(around: pd.DataFrame) -> Choice | None:
    """Return what has the least mean ratio; None where nothing was measured at all cells around."""
    return next(iter(_choices(around)), None)


def _choices(around: pd.DataFrame) -> list[Choice]:
    """Return what was measured at all cells around, that with the least mean ratio first."""
    count = around["problem"].nunique()
    choices = []
    for name, rows in around.groupby("implementation"):
        if len(rows) == count:
            mean = float(np.exp(np.log(rows["ratio"]).mean()))
            low, high = rows["ratio_low"].min(), rows["ratio_high"].max()
            choices.append(Choice(str(name), str(rows["track"].iloc[0]), low, high, mean))
    return sorted(choices, key=lambda each: each.mean)


class Advice(NamedTuple):
    """What to use in a region.

    Attributes:
        package: whose users it is for, of LIBRARIES; empty where it is for all.
        sentence: what to use.
        has_range: whether the sentence says between which ratios it lies.
    """

    package: str
    sentence: str
    has_range: bool


def sentences(region: Region, baseline: str) -> Iterator[Advice]:
    """Yield what a region advises to all, in plain code and in each library."""
    best = region.best
    if best is None:
        advised = f"Use {baseline}: nothing is clearly faster."
    elif best.high > 1:
        takes = f"{best.called} takes {_range(best)} × its time"
        advised = f"Use {baseline}, or measure yours: {takes}."
    else:
        advised = f"Use {best.called}: it takes {_range(best)} × {baseline}'s time."
    yield Advice("", advised, has_range=best is not None)
    packages = {library: package for package, library in LIBRARIES.items()}
    for among, choice in region.among.items():
        words = f"{baseline}, since nothing is clearly faster"
        if choice:
            words = f"{choice.called}, {_range(choice)} × {baseline}"
        package = packages.get(among.removeprefix("plain "), "")
        yield Advice(package, f"In {among}: {words}.", has_range=choice is not None)


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
