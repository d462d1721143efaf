"""What index.html says of a machine: its answer, the answer at each shape with a table beside it, and its charts."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.calibration.real_gates import span
from benchmarks.record import harmless
from benchmarks.tables import Column
from benchmarks.words import count, listed
from reports import headline, tables, today
from reports.charts import shapes
from reports.charts.drawing import write
from reports.charts.shapes import best_of_frameworks
from reports.frames import began
from reports.headline import Recommendation
from reports.machines import Machine, together
from reports.preamble import torch_and_jax
from reports.report import PURPOSES, Report
from reports.site.rows import address
from reports.today import OLDER
from reports.tracks import DEFAULT, LIMITS
from reports.verdict import BASELINE


def part(machine: Machine, head: Report, folder: Path) -> dict[str, Any]:
    """Return what the page says of one machine, by the names in its template; what is `shown` has its run with it."""
    advised = list(headline.recommendations(machine.head, together(machine.runs)))
    problems = set(machine.head.summary["problem"].astype(str))
    of_head = [each for each in advised if each.problem in problems]
    drawings = []
    for mode, device in product(PURPOSES, dict.fromkeys(each.device for each in advised)):
        timed = [each.timed for each in of_head if (each.mode, each.device) == (mode, device)]
        if drawn := shapes.draw(machine.label, mode, device, timed, machine.head.baseline):
            drawings.append(write(drawn, folder / "figures"))
    answer, exceptions = headline.answer(of_head)
    return {
        "machine": machine,
        "answer": answer,
        "exceptions": exceptions,
        "measured": _measured(machine),
        "advised": advised,
        "drawings": drawings,
        "shown": machine.shown,
        "row_of": lambda row: address(machine.runs[row.number], head, row),
    }


def _measured(machine: Machine) -> str:
    """Return such as `Measured on 2026-11-25: 12 implementations of today's code, each of which agrees with …`."""
    run, records = machine.head.run, pd.concat([each.run.records for each in machine.runs])
    timed = records[(records["status"] == "ok") & ~records["track"].isin(LIMITS)]
    files = today.file_of(timed["implementation"])
    older = files.nunique() - files[today.is_today(timed)].nunique()
    old = f" ({older} by {today.OLDER})" if older else " of today's code"
    versions = f" {known}." if (known := torch_and_jax(run)) else ""
    cpu_only = "" if "cuda" in set(records["device"].astype(str)) else " On the CPU, no GPU."
    number = count(files.nunique(), "implementation")
    bad = records.loc[~records["status"].isin(harmless(run.metadata.machine.gpu)), "implementation"]
    failed = f" {listed(sorted(set(bad.astype(str))))} failed: see all rows." if len(bad) else ""
    when = began(run.run_id)
    agrees = "each of which agrees with a float64 reference"
    return f"Measured on {when}: {number}{old}, {agrees}.{failed}{versions}{cpu_only}"


def compared(advised: Recommendation) -> str:
    """Return such as `Measured on 2026-11-25.`."""
    older = f", some with {today.OLDER}" if advised.timed["older"].any() else ""
    return f"Measured on {span(sorted(set(advised.timed['day'])))}{older}. Brackets are 95 % intervals."


def best_of_tracks(advised: Recommendation) -> list[Any]:
    """Return the best plain and the best tuned code of each framework, and the baseline: what takes least first."""
    rows = advised.timed
    best = best_of_frameworks(rows, "track")
    every = pd.concat([rows[rows["verdict"] == BASELINE], best]).sort_values("ratio", kind="stable")
    return list(every.itertuples(index=False)) if len(best) else []


def of_tracks(baseline: str) -> tuple[Column, ...]:
    """Return the columns of a table of these."""
    known = {column.key: column for column in tables.of_summary(baseline)}
    return (
        Column("implementation", "implementation", _named, words=True),
        known["ratio"],
        known["verdict"],
    )


def _named(row: Any) -> str:
    """Return the name of an implementation, its track where it is not plain code, and whether that is older."""
    words = [
        row.implementation,
        *([] if row.track == DEFAULT else [row.track]),
        *([OLDER] if row.older else []),
    ]
    return ", ".join(map(str, words))
