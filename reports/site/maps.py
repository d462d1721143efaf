"""The maps of sizes on index.html, with what they advise between their cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from benchmarks.cases import UNSEEN
from reports import advice, sizes
from reports.advice import Advice, Held, Region
from reports.charts.drawing import Drawing
from reports.frames import began
from reports.machines import Machine
from reports.parts.sizes import answer, maps_of
from reports.report import PURPOSES, Report


class Tried(NamedTuple):
    """How advice held at shapes that no map has seen, in a sentence on what it names and one on its ranges."""

    advice: str
    ranges: str


@dataclass(frozen=True)
class Map:
    """A map of sizes, with what it advises between its cells.

    Attributes:
        drawing, report: the map, and the run that it is of.
        mode: that of its rows.
        lead: its answer, and where plain and where tuned code is faster.
        steps: of its problems.
        input: its input size, in words.
        older: whether some of its rows are of older code.
        regions: between cells, each with its advice.
        tried_steps: the least and the most steps of the shapes at which the advice was tried, and of the map.
        held: how the advice held at other shapes; None where none was tried.
    """

    drawing: Drawing
    report: Report
    mode: str
    lead: list[str]
    steps: int
    input: str
    older: bool
    regions: list[tuple[Region, list[Advice]]]
    tried_steps: tuple[int, int]
    held: Tried | None

    @classmethod
    def of(cls, mode: str, drawing: Drawing, report: Report, machine: Machine) -> Map:
        """Return the map that a drawing shows."""
        cells = sizes.map_of(report, mode)
        regions = [
            (region, list(advice.sentences(region, report.baseline)))
            for region in advice.regions(cells)
            if not region.is_cell
        ]
        widths = {*cells["input"]}
        unseen = _unseen(machine)
        steps = cells["steps"]
        held = None
        if unseen is not None:
            rows = sizes.sized(unseen.sound)
            rows = rows[rows["mode"] == mode]
            steps = pd.concat([steps, rows["steps"]])
            held = _held(advice.held(cells, rows), began(unseen.run.run_id))
        return cls(
            drawing,
            report,
            mode,
            lead=answer(sizes.fastest(cells), report.baseline),
            steps=int(cells["steps"].iloc[0]),
            input=f"{min(widths)}" if len(widths) == 1 else "as hidden size",
            older=bool(cells["older"].any()),
            regions=regions,
            tried_steps=(int(steps.min()), int(steps.max())),
            held=held,
        )

    @property
    def day(self) -> str:
        """When it was measured."""
        return began(self.report.run.run_id)


def of_machine(machine: Machine) -> Iterator[Map]:
    """Yield the maps of a machine."""
    for mode, drawing, report in maps_of(machine, *PURPOSES):
        yield Map.of(mode, drawing, report, machine)


def _unseen(machine: Machine) -> Report | None:
    """Return the run of the shapes that no map has seen; None where a machine has none."""
    for report in machine.runs:
        if {*report.summary["problem"]} == {*UNSEEN}:
            return report
    return None


def _held(held: Held, day: str) -> Tried:
    near = 100 * (advice.NEAR - 1)
    return Tried(
        f"Checked at {held.shapes} other random shapes ({day}): at {held.good} of them, what is advised was the"
        f" fastest or within {near:.0f} % of it.",
        f"The measured ratio was outside the advised range at {held.ranges - held.inside} of {held.ranges}.",
    )
