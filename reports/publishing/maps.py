"""The maps of sizes in README and docs: README's picture, and the tables of all machines."""

from typing import Any

import pandas as pd

from benchmarks import processors
from reports import sizes
from reports.charts.drawing import Drawing, file_text, svg
from reports.code_age import OLDER
from reports.frames import Run
from reports.machines import short
from reports.parts.sizes import maps_of
from reports.publishing import cells
from reports.publishing.figures import STEP, Published, table_text
from reports.report import PURPOSES
from reports.verdict import BASELINE

PICTURE = "docs/map.svg"


def picture(published: Published) -> str:
    """Return the file of README's picture: the map of training of the first machine that has one."""
    drawing, _ = _of_training(published)
    return file_text(drawing, svg(drawing), "")


def picture_with_words(published: Published) -> str:
    """Return the picture as README shows it, with what it says for those who can't see it."""
    drawing, run = _of_training(published)
    processor = short(processors.words(run.metadata.machine))
    about = f"{processor}; 64 steps, input size as hidden size; {cells.rounds_and_days(run)}."
    return f"![{drawing.alt}]({PICTURE})\n\n{about}"


def _of_training(published: Published) -> tuple[Drawing, Run]:
    """Return the drawing of README's map, and the run that it is of."""
    for machine in published.machines:
        for _, drawing, report in maps_of(machine, STEP):
            return drawing, report.run
    raise ValueError("no published run has a map")


def tables(published: Published) -> str:
    """Return a table for each machine and purpose: a row for each batch, a column for each hidden size."""
    blocks = []
    for machine in published.machines:
        for mode, _, report in maps_of(machine, *PURPOSES):
            best = sizes.fastest(sizes.map_of(report, mode))
            about = f"{PURPOSES[mode]}, {cells.machine_and_day(report.run)}"
            if best["older"].any():
                about += f", some of *{OLDER}*"
            blocks += [f"{about}:", table_text(_table(best))]
    return "\n\n".join(blocks)


def _table(best: pd.DataFrame) -> pd.DataFrame:
    """Return the plain code and the tuned code of each cell in words."""
    words = []
    for (batch, hidden), rows in best.groupby(["batch", "hidden"]):
        of_cell = [_words(row) for row in rows.sort_values("tuned").itertuples()]
        words.append({"batch": batch, "hidden": hidden, "text": "; ".join(of_cell)})
    table = pd.DataFrame(words).pivot_table("text", "batch", "hidden", aggfunc="first")
    return table.rename(columns=lambda size: f"hidden size {size}").rename_axis(columns=None)


def _words(row: Any) -> str:
    """Return such as `` `jax_ffi` **0.34** ``; the baseline has no number."""
    name = f"`{row.implementation}`"
    return name if row.verdict == BASELINE else f"{name} {cells.ratio(row)}"
