"""Every row of some runs, as the page's one table shows it: eight columns, and the rest on demand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.columns import Column
from reports import formatting, tables
from reports.frames import ARM, Run
from reports.report import Report
from reports.tables import is_ok, words_of
from reports.verdict import YES

SHOWN = ("implementation", "track", "problem", "workload", "mode", "time", "ratio", "verdict")
KEYS = ("device", "problem", "workload", "mode", "track")
"""What rows are filtered by, beside the machine, the run and the implementation's name."""


@dataclass(frozen=True)
class Row:
    """A row of the page: a row of a summary, and what it says when it is opened."""

    id: str
    row: Any
    style: str
    keys: dict[str, str]
    report: Report
    more: Sequence[tuple[str, str]]
    replicates: str
    command: str

    def number(self, column: Column) -> str:
        """Return the number by which a column sorts; empty where it is not known."""
        value = getattr(self.row, str(column.sort))
        return "" if pd.isna(value) else f"{float(value):.6g}"


def of_page(baseline: str, several_devices: bool) -> list[Column]:
    """Return the columns of the page's table; the first one names the row."""
    known = {column.key: column for column in tables.of_summary(baseline)}
    known |= {name: words_of(name) for name in ("problem", "workload", "mode", "device")}
    return [known[key] for key in (*SHOWN[:5], *(("device",) if several_devices else ()), *SHOWN[5:])]


def address(run: str, row: Any) -> str:
    """Return the id of a row, such as `t64-b1-i128-h128/sequence/train_step/torch_lstm`.

    Args:
        run: the run's name; empty for the one that heads the page, whose rows need none.
        row: of a summary. What an address can't hold becomes a hyphen.
    """
    device = "" if row.device == "cpu" else row.device
    parts = (run, row.problem, row.workload, row.mode, device, row.implementation)
    return "/".join(re.sub(r"[^A-Za-z0-9._-]+", "-", str(part)) for part in parts if part)


def rows(runs: Sequence[tuple[str, Report]]) -> Iterator[Row]:
    """Yield the rows of some runs, each with the name of its machine; the first run heads the page."""
    for machine, report in runs:
        seconds = {
            arm: found["seconds"].dropna().to_numpy(float)
            for arm, found in report.run.records.groupby(ARM, sort=False, observed=True)
        }
        for section in tables.sections(report.summary, report.baseline):
            rest = [column for column in section.columns if column.key not in SHOWN]
            for row in section.rows:
                times = seconds[tuple(getattr(row, name) for name in ARM)] if is_ok(row) else ()
                yield Row(
                    id=address("" if report is runs[0][1] else report.name, row),
                    row=row,
                    style=tables.style(row) + (" fastest" if is_ok(row) and row.fastest == YES else ""),
                    keys={"machine": machine, "run": report.name, **{name: str(getattr(row, name)) for name in KEYS}},
                    report=report,
                    more=[(column.name, text) for column in rest if is_ok(row) and (text := column.cell(row))],
                    replicates=", ".join(map(formatting.duration, times)),
                    command=command(report.run, row),
                )


def command(run: Run, row: Any) -> str:
    """Return the command line that measures a row again, beside the baseline."""
    options = run.metadata.run
    file_of = {Path(implementation).stem: implementation for implementation in options.implementations}
    words = ["nox", "-s", "bench", "--"]
    for name in dict.fromkeys((str(row.implementation), run.baseline)):
        words += ["--impl", file_of.get(name, name)]
    words += ["--problem", str(row.problem), "--workload", str(row.workload), "--mode", str(row.mode)]
    words += ["--device", str(row.device), "--baseline", run.baseline]
    for option in ("threads", "replicates", "blocks", "seed"):
        value = getattr(options, option)
        words += [f"--{option}", str(value)] if value else []
    if options.weights:
        words += ["--weights", options.weights]
    return shlex.join(words)
