"""The rows of rows.html: their columns, their addresses, and what each says where it is opened."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from benchmarks.tables import Column
from benchmarks.words import duration
from impls.core.precision import IEEE
from reports import tables
from reports.frames import ARM, Run
from reports.report import Report
from reports.tables import is_ok, words_of
from reports.today import is_today
from reports.verdict import YES

SHOWN = ("implementation", "track", "problem", "workload", "mode", "time", "ratio", "verdict")
KEYS = ("device", "problem", "workload", "mode", "track")
"""What rows are filtered by, beside the machine, the run and the implementation's name."""


def number(row: Any, column: Column) -> str:
    """Return the number by which a column sorts a row of a summary; empty where it is not known."""
    value = getattr(row, str(column.sort))
    return "" if pd.isna(value) else f"{float(value):.6g}"


def of_page(baseline: str, several_devices: bool) -> list[Column]:
    """Return the columns of the page's table; the first one names the row."""
    known = {column.key: column for column in tables.of_summary(baseline)}
    known |= {name: words_of(name) for name in ("problem", "workload", "mode", "device")}
    return [
        known[key] for key in (*SHOWN[:5], *(("device",) if several_devices else ()), *SHOWN[5:])
    ]


def address(report: Report, head: Report, row: Any) -> str:
    """Return the id of a row, such as `t64-b1-i128-h128/sequence/train_step/torch_lstm`, after the name of another run.

    What an address can't hold becomes a hyphen.
    """
    device = "" if row.device == "cpu" else row.device
    parts = (
        "" if report is head else report.name,
        row.problem,
        row.workload,
        row.mode,
        device,
        row.implementation,
    )
    return "/".join(re.sub(r"[^A-Za-z0-9._-]+", "-", str(part)) for part in parts if part)


def rows(runs: Sequence[tuple[str, Report]]) -> Iterator[dict[str, Any]]:
    """Yield the rows of some runs, each with the name of its machine; the first run heads the page.

    A row of a summary has with it what the page says where it is opened, by the names in the template.
    """
    for machine, report in runs:
        new = set(report.summary.loc[is_today(report.summary), "implementation"])
        arms = report.run.records.groupby(ARM, sort=False)["seconds"]
        seconds = {arm: found.dropna().to_numpy(float) for arm, found in arms}
        for section in tables.sections(report):
            rest = [
                column for column in section.columns if column.key not in {*SHOWN} - {"time"}
            ]  # not on a phone
            for row in section.rows:
                times = seconds[tuple(getattr(row, name) for name in ARM)] if is_ok(row) else ()
                yield {
                    "id": address(report, runs[0][1], row),
                    "row": row,
                    "style": tables.style(row)
                    + (" fastest" if is_ok(row) and row.fastest == YES else "")
                    + ("" if row.implementation in new else " older"),
                    "older": row.implementation not in new,
                    "data": {"machine": machine, "run": report.name}
                    | {name: getattr(row, name) for name in KEYS},
                    "report": report,
                    "more": [
                        (column.name, text)
                        for column in rest
                        if is_ok(row) and (text := column.cell(row))
                    ],
                    "replicates": ", ".join(map(duration, times)),
                    "command": command(report.run, row),
                }


def command(run: Run, row: Any) -> str:
    """Return the command line that measures a row again, beside the baseline."""
    options = run.metadata.run
    given = {re.sub(r"^.*/|\.py(?=@|$)", "", text): text for text in options.implementations}
    chosen = [
        ("impl", given.get(name, name))
        for name in dict.fromkeys((str(row.implementation), run.baseline))
    ]
    chosen += [(name, getattr(row, name)) for name in ("problem", "workload", "mode", "device")]
    chosen += [("precision", options.precision if options.precision != IEEE else "")]
    chosen += [("baseline", run.baseline), ("rounds", str(len(run.metadata.rounds) or ""))]
    chosen += [
        (name, getattr(options, name))
        for name in ("threads", "replicates", "blocks", "seed", "weights")
    ]
    words = [word for name, value in chosen if value for word in (f"--{name}", str(value))]
    return shlex.join(["nox", "-s", "bench", "--", *words])
