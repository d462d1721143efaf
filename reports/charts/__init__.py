"""Figures of a run: each as an SVG that follows the reader's colour scheme, and as a PNG on white."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reports.charts import accuracy, directions, drift, ratio, sizes
from reports.charts.drawing import Drawing, write
from reports.charts.style import applied
from reports.frames import Run

KINDS = (ratio, directions, accuracy, sizes, drift)


@dataclass(frozen=True)
class Picture:
    """A figure that was written as NAME.svg and NAME.png; `problem` is None where it is about several."""

    name: str
    title: str
    alt: str
    problem: str | None
    svg: str


def draw(run: Run, summary: pd.DataFrame) -> list[Drawing]:
    """Every figure that the run has data for: those about one problem first, in the order of the run's problems."""
    place = {problem: k for k, problem in enumerate(dict.fromkeys(summary["problem"]))}
    with applied():
        drawn = [one for kind in KINDS for one in kind.draw(run, summary)]
    return sorted(drawn, key=lambda one: place.get(one.problem, len(place)))


def save(run: Run, summary: pd.DataFrame, folder: Path) -> list[Picture]:
    """Write every figure, the same bytes for the same records."""
    folder.mkdir(parents=True, exist_ok=True)
    with applied():
        return [Picture(d.name, d.title, d.alt, d.problem, write(d, folder)) for d in draw(run, summary)]
