"""Forward and training step side by side, and where inference takes longer, which nobody expects."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd

from benchmarks.tables import Column
from benchmarks.words import listed
from reports.charts import dots, marks, style
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import BLUE, PURPLE, plain
from reports.frames import ARM
from reports.report import TIMES, Answer, Report, training
from reports.tables import time_of, words_of

SECTION, ORDER = "directions", 30
MODES = {"forward": (BLUE, "circle"), "train_step": (PURPLE, "triangle-up")}


def make(report: Report) -> Iterator[Drawing | Answer]:
    """Yield a chart for each problem that was measured in both modes, and where forward takes longer."""
    for (problem, device), rows in report.sound.groupby(["problem", "device"], sort=False):
        if rows["mode"].nunique() == len(MODES):
            yield _drawing(str(problem), str(device), rows)
    yield from _odd(report.sound)


def _said(row: Any) -> str:
    return f"{row.implementation}, {row.mode}: {marks.time_of(row)}"


def _drawing(problem: str, device: str, rows: pd.DataFrame) -> Drawing:
    data = marks.points(rows, "seconds", _said, "implementation", "track", "mode")
    ends = style.limits(data, "seconds")
    axis = partial(marks.log_axis, "time of one call, 95 % interval", ends, apart=60, time=True)
    chart = dots.dots(data, "seconds", axis, "seconds", dots.looks("mode", MODES))
    title = f"Forward and training step: {marks.where(device, plain(problem, 40))}"
    text = (
        f"Dot plot for {problem}: the times of forward and train_step of each implementation side by side, with 95 %"
        " intervals, on a logarithmic axis."
    )
    name = file_name("directions", problem, *([] if device == "cpu" else [device]))
    return Drawing(name, plain(title, 90), text, problem, None, list(data["said"]), chart)


def _odd(sound: pd.DataFrame) -> Iterator[Answer]:
    """Yield the implementations whose forward's interval lies above that of their training step."""
    same = [name for name in ARM if name != "mode"]
    both = training(sound).merge(
        sound.loc[sound["mode"] == "forward", [*same, *TIMES]], on=same, suffixes=("", "_forward")
    )
    odd = both[both["seconds_low_forward"] > both["seconds_high"]].sort_values("position", kind="stable")
    if odd.empty:
        return
    said = [
        f"{listed(list(rows['implementation'].astype(str)))} at {where}"
        for where, rows in odd.groupby("where", sort=False)
    ]
    columns = (
        words_of("where", "problem"),
        words_of("implementation"),
        Column("forward", "forward [95 %]", time_of("_forward")),
        Column("train_step", "train_step [95 %]", time_of()),
    )
    question = "Where does inference take longer than a training step?"
    answer = f"Forward alone takes longer than forward and backward together in {listed(said)}."
    yield Answer(question, answer, columns, odd)
