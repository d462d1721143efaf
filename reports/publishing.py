"""Whether a run is good enough to be published, and its files in the folder of published runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from benchmarks.cases import PRESETS
from benchmarks.record import harmless
from benchmarks.words import count
from impls.core.files import write_text
from reports import estimates, export
from reports.charts.drawing import file_name
from reports.frames import BENCHMARK, Run
from reports.run_folder import copy_raw, is_free

LEAST_REPLICATES = 4
"""The fewest replicates of fresh processes with which an interval means something."""
MOST_OF_RATIOS, MOST_OF_TIMES = 0.1, estimates.UNSTEADY
"""The most that the replicates of a ratio, and of a time, may differ by: the median of the standard deviations."""


def faults(run: Run, summary: pd.DataFrame) -> Iterator[str]:
    """Yield each reason why a run can't be published; none means that it can."""
    metadata, options = run.metadata, run.metadata.run
    if not run.folder.is_dir():
        yield "it is a file, and not the folder that a run writes"
    if preset_of(run) is None:
        yield f"its benchmarks are those of no preset; presets are {', '.join(PRESETS)}"
    if not metadata.commit.id:
        yield "its commit is not known"
    elif metadata.commit.dirty:
        yield "files differed from its commit: commit them, and measure again"
    if (options.replicates or 0) < LEAST_REPLICATES:
        yield f"it has {count(options.replicates or 0, 'replicate')}; {LEAST_REPLICATES} are needed"
    noise = estimates.noise(run)
    if not math.isfinite(noise.times):
        yield "its noise is not known"
    for what, found, most in (("ratios", noise.ratios, MOST_OF_RATIOS), ("times", noise.times, MOST_OF_TIMES)):
        if found > most:
            differ = f"{what} differ by {100 * found:.0f} % between replicates"
            yield f"the machine was busy: {differ}; {100 * most:.0f} % is the most"
    bad = summary[~summary["status"].isin(harmless(metadata.machine.gpu))]
    for (status, name), rows in bad.groupby(["status", "implementation"], sort=False, observed=True):
        yield f"{name} has the status {status} in {count(len(rows), 'row')}: {rows['reason'].iloc[0]}"


def preset_of(run: Run) -> str | None:
    """Return the name of the preset whose benchmarks a run has; None where it is no preset's."""
    measured = run.records.drop_duplicates(BENCHMARK)[["problem", "workload", "mode"]].astype(str)
    found = set(measured.itertuples(index=False, name=None))
    for name, preset in PRESETS.items():
        if found == {(problem, *pair) for problem in preset.problems for pair in preset.pairs}:
            return name
    return None


def publish(run: Run, summary: pd.DataFrame, folder: Path) -> Path:
    """Copy a run's raw files and its table into the folder of published runs, and return where they are.

    The name is that of the run's folder; where another run has it, as in a fleet, the run's id is added.
    """
    name = run.folder.resolve().name
    place = folder / name
    if not is_free(run, place):
        place = folder / file_name(name, run.run_id)
    place.mkdir(parents=True, exist_ok=True)
    copy_raw(run, place)
    write_text(place / "table.md", export.markdown(run, summary))
    return place
