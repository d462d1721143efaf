"""The maps of sizes on index.html, with what they advise between their cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from benchmarks.cases import UNSEEN
from reports import advice, sizes
from reports.advice import Region
from reports.charts.drawing import Drawing
from reports.frames import began
from reports.machines import Machine
from reports.parts.sizes import MAP
from reports.report import Report


@dataclass(frozen=True)
class Map:
    """A map of sizes, with what it advises between its cells.

    Attributes:
        drawing, report: the map, and the run that it is of.
        mode: that of its rows.
        steps: of its problems.
        input: its input size, in words.
        older: whether some of its rows are of older code.
        regions: between cells, each with its advice.
        held: how the advice held at other shapes; empty where none was tried.
    """

    drawing: Drawing
    report: Report
    mode: str
    steps: int
    input: str
    older: bool
    regions: list[tuple[Region, str]]
    held: str

    @classmethod
    def of(cls, drawing: Drawing, report: Report, machine: Machine) -> Map:
        """Return the map that a drawing shows."""
        mode = drawing.name.removeprefix(f"{MAP}-")
        cells = sizes.map_of(report, mode)
        regions = [
            (region, advice.sentence(region, report.baseline))
            for region in advice.regions(cells)
            if not region.is_cell
        ]
        widths = {*cells["input"]}
        return cls(
            drawing,
            report,
            mode,
            steps=int(cells["steps"].iloc[0]),
            input=f"{min(widths)}" if len(widths) == 1 else "as hidden size",
            older=bool(cells["older"].any()),
            regions=regions,
            held=_held(machine, cells),
        )

    @property
    def day(self) -> str:
        """When it was measured."""
        return began(self.report.run.run_id)


def of_machine(machine: Machine) -> Iterator[Map]:
    """Yield the maps of a machine."""
    for made, report in machine.shown:
        if isinstance(made, Drawing) and made.name.startswith(MAP):
            yield Map.of(made, report, machine)


def _held(machine: Machine, cells: pd.DataFrame) -> str:
    """Return in a sentence how the advice of a map held at the shapes that it has not seen; empty without any."""
    for report in machine.runs:
        if {*report.summary["problem"]} != {*UNSEEN}:
            continue
        rows = sizes.sized(report.sound)
        held = advice.held(cells, rows[rows["mode"] == cells["mode"].iloc[0]])
        return (
            f"At {held.good} of {held.shapes} random shapes that the map had not seen, with other steps and input sizes"
            f" ({began(report.run.run_id)}), what is advised took at most {100 * (advice.NEAR - 1):.0f} % more time"
            f" than the best that was measured; at worst {held.worst:.2f} × its time. The ratio was within the range at"
            f" {held.inside} of {held.ranges}."
        )
    return ""
