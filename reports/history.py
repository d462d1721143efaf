"""One benchmark over many runs: its time and ratio in each, and a table of them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import processors
from benchmarks.metadata import UNKNOWN, Metadata, name_and_driver
from benchmarks.tables import Column
from benchmarks.words import count
from impls.core.precision import TF32
from reports import formatting, tracks
from reports.frames import BENCHMARK
from reports.report import Answer, Report

ESTIMATES = [f"{name}{end}" for name in ("seconds", "ratio") for end in ("", "_low", "_high")]
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
    """Return a row for each machine, BENCHMARK, implementation and run in which it was measured; the oldest run first.

    Only those that have a ratio to the baseline of the first run.

    Columns: machine, BENCHMARK, implementation, run_id, date, commit, versions; seconds and ratio (to the run's own
    baseline), each with _low and _high; baseline.
    """
    parts = []
    for each in reported:
        metadata, summary = each.run.metadata, each.summary
        kept = summary[[*BENCHMARK, "implementation", "versions", *ESTIMATES]].assign(
            machine=machine_label(metadata),
            run_id=each.run.run_id,
            date=began(each.run.run_id),
            commit=metadata.commit.id,
            baseline=each.baseline,
        )
        if driver := name_and_driver(metadata.machine.gpu)[1]:
            on_gpu = kept["device"] == "cuda"
            kept["versions"] = kept["versions"].astype(str) + np.where(on_gpu, f", driver {driver}", "")
        parts.append(kept)
    series = ["machine", *BENCHMARK, "implementation"]
    columns = [*series, "run_id", "date", "commit", "versions", *ESTIMATES, "baseline"]
    past = pd.concat(parts, ignore_index=True)[columns]
    past["date"] = pd.to_datetime(past["date"], utc=True)  # NaT of an id without a time has no zone
    past = past[past["ratio"].notna() & (past["baseline"] == reported[0].baseline)]
    return past.sort_values([*series, "date", "run_id"], kind="stable", ignore_index=True)


def tables(reported: Sequence[Report], past: pd.DataFrame) -> list[Answer]:
    """Return a table for each benchmark of which one machine has ENOUGH runs: a column for each, the oldest first."""
    labels = {each.run.run_id: each.label for each in reported}
    summaries = pd.concat([each.summary for each in reported])
    track_of = dict(zip(summaries["implementation"], summaries["track"], strict=True))
    shown = past.assign(text=[*map(formatting.interval, past["ratio"], past["ratio_low"], past["ratio_high"])])
    found = []
    for (machine, *benchmark), rows in shown.groupby(["machine", *BENCHMARK], sort=False, observed=True):
        if len(rows["run_id"].unique()) >= ENOUGH:
            cells = rows.pivot_table("text", "implementation", "run_id", "first", fill_value="–")
            order = sorted(cells.index, key=lambda name: (tracks.rank(track_of[name]), name))
            columns = [Column("implementation", "implementation", itemgetter(0), words=True)]
            columns += [Column(name, labels[name], itemgetter(k)) for k, name in enumerate(cells.columns, 1)]
            title = " · ".join(map(str, (*benchmark, machine)))
            found.append(Answer(title, "", columns, cells.loc[order].reset_index()))
    return found
