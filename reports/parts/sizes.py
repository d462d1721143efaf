"""Which LSTM is fastest at which size, and how the time grows with a size: maps and lines of a run's problems."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.tables import Column
from benchmarks.words import duration, span
from impls.core.operations import operations
from impls.core.problem import Problem
from reports import headline, peak, sizes
from reports.charts import growth, heat_map
from reports.charts.drawing import ROWS, Drawing, file_name, labels
from reports.machines import Machine
from reports.report import PURPOSES, WORKLOAD, Answer, Report
from reports.tables import TRACK, ratio, words_of
from reports.tracks import word
from reports.verdict import FASTER

MOST_PANELS = 3
"""The panels of a chart of growth: of the smallest, the middle and the largest of the other sizes."""
NAMES = {"hidden": "hidden size", "steps": "time steps"}
"""The sizes over which a chart of growth is drawn."""


def map_name(mode: str) -> str:
    """Return the name of the map of a mode."""
    return f"map-{mode}"


def growth_name(size: str, mode: str) -> str:
    """Return the name of the chart of a mode's times over a size: of NAMES."""
    return file_name("growth", size, mode)


def maps_of(machine: Machine, *modes: str) -> Iterator[tuple[str, Drawing, Report]]:
    """Yield the maps of a machine in these modes: the mode, the map, and the run that it is of."""
    for mode in modes:
        for made, report in machine.shown:
            if isinstance(made, Drawing) and made.name == map_name(mode):
                yield mode, made, report


def make(report: Report) -> Iterator[Drawing | Answer]:
    """Yield for training and for inference the map of sizes, and how the time of a step grows with a size."""
    rows = sizes.sized(report.sound)
    rows = rows[rows["device"] == "cpu"]
    for mode, purpose in PURPOSES.items():
        of_mode = rows[rows["mode"] == mode]
        of_map = sizes.map_of(report, mode)
        if len(of_map):
            best = sizes.fastest(of_map)
            yield _map(report, purpose, best)
            yield _table(report, purpose, best)
        for size in NAMES:
            of_lines = sizes.lines(of_mode, size)
            if of_lines:
                yield _growth(report, purpose, size, of_lines)


def _map(report: Report, purpose: str, best: pd.DataFrame) -> Drawing:
    """Return the map of the fastest plain and the fastest tuned code."""
    baseline = report.baseline
    sentences = labels(best, partial(_of_cell, baseline))
    cells = best.assign(label=sentences, href=[_row(row) for row in best.itertuples()])
    title = f"{purpose}: the fastest at each size"
    alt = f"{purpose}, a map of batch and hidden size. {' '.join(answer(best, baseline))}"
    return Drawing(
        map_name(best["mode"].iloc[0]),
        title,
        alt,
        sentences,
        partial(heat_map.svg, alt, cells, baseline),
    )


def _of_cell(baseline: str, row: Any) -> str:
    """Return what a cell says."""
    name = f"{row.problem}, {word(row.track)}: {row.implementation}"
    if row.implementation == baseline:
        return name
    return f"{name} {ratio()(row)} × {baseline}, {row.verdict}"


def _row(row: Any) -> str:
    """Return the address of the row that a cell shows, on a page of its run."""
    return f"{ROWS}#{row.problem}/{WORKLOAD}/{row.mode}/{row.implementation}"


def answer(best: pd.DataFrame, baseline: str) -> list[str]:
    """Return the answer of a map in a sentence, then where plain and where tuned code is faster, a sentence for each.

    `best`: the rows of its fastest plain and tuned code, see sizes.fastest.
    """
    number = best["problem"].nunique()
    faster = best[best["verdict"] == FASTER]
    plain = int((~faster["tuned"]).sum())
    if 2 * plain >= number:
        start = f"It depends on the size: at {plain} of {number}, plain code is clearly faster than {baseline}."
    else:
        start = f"Start with {baseline}: at most sizes, no plain code is clearly faster."
    sentences = [start]
    for tuned, which in ((False, "plain"), (True, "tuned")):
        rows = faster[faster["tuned"] == tuned]
        if len(rows):
            batches = span([*map(str, sorted(rows["batch"]))])
            hiddens = span([*map(str, sorted(rows["hidden"]))])
            names = headline.fastest_of([row for _, row in rows.iterrows()])
            sentences.append(
                f"At {len(rows)} of {number} (batch {batches}, hidden size {hiddens}), {which} code is clearly faster:"
                f" {names} × {baseline}'s time."
            )
    return sentences


def _table(report: Report, purpose: str, best: pd.DataFrame) -> Answer:
    """Return the map as a table: a row for each size, and one more where tuned code was measured."""
    columns = (
        words_of("problem"),
        TRACK,
        words_of("implementation", "the fastest"),
        Column("ratio", f"time, × {report.baseline} [95 %]", ratio()),
        words_of("verdict"),
    )
    ordered = best.sort_values(["hidden", "batch", "tuned"], kind="stable")
    title = f"Which LSTM is fastest at which size? {purpose}"
    return Answer(title, answer(best, report.baseline), columns, ordered)


def _growth(report: Report, purpose: str, size: str, of_lines: list[pd.DataFrame]) -> Drawing:
    """Return how the time of a step grows with a size, with the time that the peak would take."""
    whole = pd.concat(_some(of_lines, size))
    whole = whole.assign(
        size=whole[size],
        step_seconds=whole["seconds"] / whole["steps"],
        panel=[_panel(row, size) for row in whole.itertuples()],
    )
    means = np.log(whole["seconds"]).groupby(whole["implementation"]).mean()
    names = [report.baseline, *means.sort_values(kind="stable").index]
    names = list(dict.fromkeys(names))[: len(growth.COLORS)]
    shown = whole[whole["implementation"].isin(names)]
    sentences = labels(
        shown,
        lambda row: f"{row.implementation}, {row.problem}: {duration(row.step_seconds)} a step",
    )
    least = shown.drop_duplicates("problem")
    speed = peak.speed(report.run.records)
    needed = [_operations(row) for row in least.itertuples()]
    limits = least.assign(step_seconds=needed / (speed * least["steps"]))
    limits = limits[["panel", "size", "step_seconds"]].dropna()
    title = f"{purpose}: the time of a step over {NAMES[size]}"
    text = f"The time of a step over {NAMES[size]}, both axes logarithmic: a line for each implementation"
    if len(limits):
        text += ", and a dashed one for the time that the multiply-adds take at the peak"
    return Drawing(
        growth_name(size, str(whole["mode"].iloc[0])),
        title,
        f"{text}.",
        sentences,
        partial(
            growth.chart,
            shown.assign(sentence=sentences),
            limits,
            NAMES[size],
            list(shown["panel"].unique()),
            names,
        ),
    )


def _some(of_lines: list[pd.DataFrame], size: str) -> list[pd.DataFrame]:
    """Return the lines of the smallest, the middle and the largest batch, of those that differ from the first in it."""
    alike = ["steps", "options"] if size == "hidden" else ["hidden", "options"]
    first = of_lines[0][alike].iloc[0]
    lines = [rows for rows in of_lines if (rows[alike].iloc[0] == first).all()]
    lines.sort(key=lambda rows: rows["batch"].iloc[0])
    if len(lines) <= MOST_PANELS:
        return lines
    return [lines[0], lines[len(lines) // 2], lines[-1]]


def _panel(row: Any, size: str) -> str:
    """Return the name of the panel of a row: its other sizes."""
    parts = []
    if size != "steps":
        parts.append(f"{row.steps} steps")
    parts.append(f"batch {row.batch}")
    if size != "hidden":
        parts.append(f"hidden size {row.hidden}")
    return f"{', '.join(parts)}{row.options}"


def _operations(row: Any) -> int:
    return operations(Problem.parse(row.problem), row.workload, row.mode)
