"""The charts of a run: each as an SVG that follows the reader's color scheme, and as a PNG on white."""

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
    """A chart that was written as NAME.svg and NAME.png; `problem` is None where it shows several problems."""

    name: str
    title: str
    alt: str
    problem: str | None
    svg: str


def draw(run: Run, summary: pd.DataFrame) -> list[Drawing]:
    """Return every chart that the run has data for: first those of one problem, in the order of the run's problems."""
    order = {problem: k for k, problem in enumerate(dict.fromkeys(summary["problem"]))}
    with applied():
        drawings = [drawing for kind in KINDS for drawing in kind.draw(run, summary)]
    return sorted(drawings, key=lambda drawing: order.get(drawing.problem, len(order)))


def save(run: Run, summary: pd.DataFrame, folder: Path) -> list[Picture]:
    """Write every chart; the same records give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    with applied():
        return [Picture(d.name, d.title, d.alt, d.problem, write(d, folder)) for d in draw(run, summary)]
