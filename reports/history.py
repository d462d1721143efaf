"""One benchmark over many runs: its ratio in each, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import pandas as pd

from benchmarks import processors
from benchmarks.metadata import UNKNOWN, Metadata, name_and_driver
from benchmarks.tables import Column
from benchmarks.words import count
from impls.core.precision import TF32
from reports import formatting, tracks
from reports.frames import BENCHMARK
from reports.report import Answer, Report

RATIO = ["ratio", "ratio_low", "ratio_high"]
ENOUGH = 3
"""The fewest runs that are a history."""


def machine_label(metadata: Metadata) -> str:
    """Return the processor with all that is known of it, the GPU if there is one, and the threads.

    Times are compared only where all are equal. The GPU's driver is not among it: like a version, it may be what
    changed a time.
    """
    machine, run = metadata.machine, metadata.run
    gpu = f" + {name_and_driver(machine.gpu)[0]}" if machine.gpu else ""
    gpu += ", TF32" if run.precision == TF32 else ""
    threads = count(run.threads, "thread") if run.threads else f"{UNKNOWN} threads"
    return f"{processors.key(machine)}{gpu}, {threads}"


def began(run_id: str) -> Any:
    """Return when a run began, in UTC, as its id says; NaT where the id does not say it."""
    return pd.to_datetime(run_id.partition("-")[0], format="%Y%m%dT%H%M%S", utc=True, errors="coerce")


def history(reported: Sequence[Report]) -> pd.DataFrame:
    """Return the rows of all summaries with a ratio to the baseline of the first run, with the machine and run_id."""
    parts = [
        each.summary[[*BENCHMARK, "implementation", "track", *RATIO]].assign(
            machine=machine_label(each.run.metadata), run_id=each.run.run_id
        )
        for each in reported
        if each.baseline == reported[0].baseline
    ]
    return pd.concat(parts, ignore_index=True).dropna(subset="ratio")


def tables(reported: Sequence[Report]) -> list[Answer]:
    """Return a table for each benchmark of which one machine has ENOUGH runs: a column for each, the oldest first."""
    labels = {each.run.run_id: each.label for each in reported}
    past = history(reported)
    track_of = dict(zip(past["implementation"], past["track"], strict=True))
    shown = past.assign(text=[*map(formatting.interval, *(past[name] for name in RATIO))])
    found = []
    for (machine, *benchmark), rows in shown.groupby(["machine", *BENCHMARK], observed=True):
        if len(rows["run_id"].unique()) >= ENOUGH:
            cells = rows.pivot_table("text", "implementation", "run_id", "first", fill_value="–")
            order = sorted(cells.index, key=lambda name: (tracks.rank(track_of[name]), name))
            columns = [Column("implementation", "implementation", itemgetter(0), words=True)]
            columns += [Column(name, labels[name], itemgetter(k)) for k, name in enumerate(cells.columns, 1)]
            title = " · ".join(map(str, (*benchmark, machine)))
            found.append(Answer(title, "", columns, cells.loc[order].reset_index()))
    return found
