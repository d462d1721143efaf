"""The charts of a run: each as an SVG for a page and a phone, and as files, from one specification."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from reports.charts import accuracy, directions, drift, gains, history, ratio, sizes
from reports.charts.drawing import Drawing, Picture, write
from reports.frames import Run

__all__ = ["Drawing", "Picture", "draw", "save", "save_history"]

KINDS = {"ratio": ratio, "directions": directions, "sizes": sizes, "gains": gains, "accuracy": accuracy, "drift": drift}
"""The modules that draw, by the word with which the names of their charts start."""


def draw(run: Run, summary: pd.DataFrame) -> list[Drawing]:
    """Return every chart that the run has data for."""
    return [drawing for kind in KINDS.values() for drawing in kind.draw(run, summary)]


def save(run: Run, summary: pd.DataFrame, folder: Path) -> list[Picture]:
    """Write every chart of a run; the same records give the same bytes."""
    return _written(draw(run, summary), folder)


def save_history(past: pd.DataFrame, folder: Path) -> list[Picture]:
    """Write every chart of several runs; `past` has rows of reports.history."""
    return _written(history.draw(past), folder)


def _written(drawings: Iterable[Drawing], folder: Path) -> list[Picture]:
    written = []
    for drawing in drawings:
        folder.mkdir(parents=True, exist_ok=True)
        written.append(write(drawing, folder))
    return written
