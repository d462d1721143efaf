"""The site: a page for the published runs together, one for each run, the documents, and files for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from benchmarks import processors
from impls.core.files import write_text
from impls.core.text import json_text
from reports import frames, site
from reports.charts.marks import asked
from reports.documents import documents
from reports.export import csv
from reports.history import began
from reports.report import Report
from reports.verdict import YES

RUNS = "runs"
"""The folder of the site with a folder for each run, whose addresses never change."""
LINKS = (
    ("docs/what-is-measured.html", "Methods"),
    ("docs/CONTRIBUTING.html", "Add yours"),
    ("docs/regression.html", "The gate"),
    ("data.json", "data.json"),
    ("summary.csv", "summary.csv"),
)
"""What every page of the site links to, beside the page of runs."""
OF_A_RUN = tuple((f"../../{href}", title) for href, title in (("index.html", "All runs"), *LINKS))
"""What the page of a run links to."""


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


def build(out: Path, reported: Sequence[Report]) -> None:
    """Write the site's pages and the files for programs; the runs' own pages and files are there already.

    Args:
        out: the site's folder.
        reported: the runs, in the order of the page; the files of each are in RUNS/NAME.
    """
    site.save(out, reported, LINKS)
    for document in documents():
        path = out / document.path
        path.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * document.path.count("/")
        links = (("index.html", "Which LSTM is fastest?"), *LINKS)
        write_text(path, site.document(document, [(up + href, title) for href, title in links]))
    summaries = [each.summary.assign(run_id=each.run.run_id) for each in reported]
    write_text(out / "summary.csv", csv(pd.concat(summaries, ignore_index=True)))
    write_text(out / "data.json", json_text(msgspec.to_builtins(data(reported))))
    write_text(out / "data.schema.json", json_text(msgspec.json.schema(Data)))
    write_text(out / "badge.json", json.dumps(badge(reported)) + "\n")


def data(reported: Sequence[Report]) -> Data:
    """Return the content of data.json."""
    return Data(VERSION, [_run(each) for each in reported])


def _run(each: Report) -> PublishedRun:
    metadata, date = each.run.metadata, began(each.run.run_id)
    machine, options = metadata.machine, metadata.run
    rows = each.summary.rename(columns={"fastest": "fastest_of_track"})[list(Row.__struct_fields__)]
    rows = frames.plain(rows).replace([math.inf, -math.inf], math.nan).astype(object)
    return PublishedRun(
        run_id=each.run.run_id,
        date=None if pd.isna(date) else date.isoformat(),
        machine=processors.words(machine),
        cores=machine.cores,
        gpu=machine.gpu or None,
        threads=options.threads or None,
        commit=metadata.commit.id,
        baseline=each.baseline,
        replicates=options.replicates,
        rows=msgspec.convert(rows.where(rows.notna(), None).to_dict("records"), list[Row]),
    )


def badge(reported: Sequence[Report]) -> dict[str, Any]:
    """Return badge.json, which shields.io shows: at how many shapes the head's baseline trains fastest of its track."""
    head = reported[0]
    rows = asked(head, ["train_step"])
    shapes = rows["problem"].nunique()
    wins = rows.loc[(rows["implementation"] == head.baseline) & (rows["fastest"] == YES), "problem"].nunique()
    words = f"{head.baseline} fastest at {wins} of {shapes} shapes"
    return {"schemaVersion": 1, "label": "LSTM training", "message": words, "color": "blue"}
