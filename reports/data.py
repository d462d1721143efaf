"""What the site has for programs: data.json, whose schema is made of the types here, summary.csv and badge.json."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import msgspec
import pandas as pd

from benchmarks import processors
from reports.charts.marks import asked
from reports.export import csv
from reports.history import began
from reports.report import Report
from reports.verdict import YES

VERSION = 2
"""The version of data.json. A key may be added without a new one; the meaning of a key never changes."""


class Row(msgspec.Struct, frozen=True):
    """An implementation at a benchmark. Times are in seconds; null: not known, or not measured."""

    problem: str
    workload: str
    mode: str
    device: str
    implementation: str
    track: str
    versions: str
    status: str
    reason: str
    verdict: str | None
    fastest_of_track: str
    seconds: float | None
    seconds_low: float | None
    seconds_high: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    peak_share: float | None
    error: float | None
    first_call_seconds: float | None
    peak_bytes: float | None
    pipelined_seconds: float | None
    gpu_seconds: float | None
    gpu_kernels: float | None


class PublishedRun(msgspec.Struct, frozen=True):
    """A run: where it was measured, with what, and its rows. Ratios are to the time of `baseline`."""

    run_id: str
    date: str | None
    machine: str
    cores: int | None
    gpu: str | None
    threads: int | None
    commit: str | None
    baseline: str
    replicates: int | None
    rows: list[Row]


class Data(msgspec.Struct, frozen=True):
    """The content of data.json. The first run is the one that heads the site."""

    version: int
    runs: list[PublishedRun]


def data(reported: Sequence[Report]) -> Data:
    """Return the content of data.json."""
    return Data(VERSION, [_run(each) for each in reported])


def schema() -> dict[str, Any]:
    """Return the JSON schema of data.json."""
    return msgspec.json.schema(Data)


def _run(each: Report) -> PublishedRun:
    metadata, date = each.run.metadata, began(each.run.run_id)
    machine, options = metadata.machine, metadata.run
    summary = each.summary.rename(columns={"fastest": "fastest_of_track"})
    return PublishedRun(
        run_id=each.run.run_id,
        date=None if pd.isna(date) else date.isoformat(),
        machine=processors.words(machine),
        cores=machine.cores,
        gpu=machine.gpu or None,
        threads=options.threads or None,
        commit=metadata.commit.id,
        baseline=each.run.baseline,
        replicates=options.replicates,
        rows=[
            Row(**{name: _plain(getattr(row, name)) for name in Row.__struct_fields__})
            for row in summary.itertuples(index=False)
        ],
    )


def _plain(value: Any) -> Any:
    """Return a value of a table for JSON: what is missing or not finite is null."""
    if isinstance(value, str):
        return value
    return float(value) if value is not None and not pd.isna(value) and math.isfinite(value) else None


def summary_csv(reported: Sequence[Report]) -> str:
    """Return the summaries of all runs, with the run of each row."""
    return csv(pd.concat([each.summary.assign(run_id=each.run.run_id) for each in reported], ignore_index=True))


def badge(reported: Sequence[Report]) -> str:
    """Return badge.json, which shields.io shows: at how many shapes the head's baseline trains fastest of its track."""
    head = reported[0]
    rows = asked(head, ["train_step"])
    shapes = rows["problem"].nunique()
    wins = rows.loc[(rows["implementation"] == head.run.baseline) & (rows["fastest"] == YES), "problem"].nunique()
    words = f"{head.run.baseline} fastest at {wins} of {shapes} shapes"
    return json.dumps({"schemaVersion": 1, "label": "LSTM training", "message": words, "color": "blue"}) + "\n"
