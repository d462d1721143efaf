"""What index.html says of a machine: its answer, the answer at each shape with a table beside it, and its charts."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.record import harmless
from benchmarks.tables import Column
from benchmarks.words import count, listed, span
from reports import estimates, headline, selection, tables
from reports.charts import shapes
from reports.charts.drawing import write
from reports.code_age import OLDER, file_of, is_today
from reports.frames import began
from reports.headline import Recommendation
from reports.machines import Machine
from reports.preamble import torch_and_jax
from reports.tracks import DEFAULT, LIMITS
from reports.verdict import BASELINE


def part(machine: Machine, folder: Path) -> dict[str, Any]:
    """Return what the page says of one machine, by the names in its template, and write its dot plots."""
    advised = list(headline.recommendations(machine.head, selection.sequences(machine.runs)))
    of_head = [each for each in advised if each.problem in set(machine.head.summary["problem"])]
    answer, exceptions = headline.answer(of_head)
    timed: dict[tuple[str, str], list[pd.DataFrame]] = defaultdict(list)
    for each in of_head:
        timed[each.mode, each.device].append(each.timed)
    drawings = []
    for (mode, device), rows in timed.items():
        drawing = shapes.draw(machine.label, mode, device, rows, machine.head.baseline)
        if drawing:
            drawings.append(write(drawing, folder / "figures"))
    return {
        "machine": machine,
        "answer": answer,
        "exceptions": exceptions,
        "measured": _measured(machine),
        "advised": advised,
        "drawings": drawings,
        "noise": estimates.noise(machine.head.run),
    }


def _measured(machine: Machine) -> str:
    """Return such as `Measured on 2026-11-25: 12 implementations of today's code, each of which agrees with …`."""
    run = machine.head.run
    records = pd.concat([report.run.records for report in machine.runs])
    timed = records[(records["status"] == "ok") & ~records["track"].isin(LIMITS)]
    files = file_of(timed["implementation"])
    older = files.nunique() - files[is_today(timed)].nunique()
    code = f" ({older} by {OLDER})" if older else " of today's code"
    what = f"{count(files.nunique(), 'implementation')}{code}"
    agrees = "each of which agrees with a float64 reference"
    sentences = [f"Measured on {began(run.run_id)}: {what}, {agrees}."]
    failed = records[~records["status"].isin(harmless(run.metadata.machine.gpu))]
    if len(failed):
        names = sorted(failed["implementation"].unique())
        sentences.append(f"{listed(names)} failed: see all rows.")
    versions = torch_and_jax(run)
    if versions:
        sentences.append(f"{versions}.")
    if "cuda" not in set(records["device"]):
        sentences.append("On the CPU, no GPU.")
    return " ".join(sentences)


def compared(advised: Recommendation) -> str:
    """Return such as `Measured on 2026-11-25. Brackets are 95 % intervals.`."""
    older = f", some with {OLDER}" if advised.timed["older"].any() else ""
    days = span(sorted(advised.timed["day"]))
    return f"Measured on {days}{older}. Brackets are 95 % intervals."


def best_of_tracks(advised: Recommendation) -> list[Any]:
    """Return the best plain and the best tuned code of each framework, and the baseline: what takes least first."""
    rows = advised.timed
    best = shapes.best_of_frameworks(rows, "track")
    if best.empty:
        return []
    every = pd.concat([rows[rows["verdict"] == BASELINE], best])
    return list(every.sort_values("ratio", kind="stable").itertuples(index=False))


def of_tracks(baseline: str) -> list[Column]:
    """Return the columns of a table of these."""
    columns = [Column("implementation", "implementation", _name_and_track, words=True)]
    columns += [each for each in tables.of_summary(baseline) if each.key in ("ratio", "verdict")]
    return columns


def _name_and_track(row: Any) -> str:
    """Return the name of an implementation, its track where it is not plain code, and whether that is older."""
    name = str(row.implementation)
    if row.track != DEFAULT:
        name += f", {row.track}"
    if row.older:
        name += f", {OLDER}"
    return name
