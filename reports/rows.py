"""Every row of some runs, as the page's one table shows it: eight columns, and the rest on demand."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.columns import Column
from impls.core.text import one_line
from reports import columns, formatting, tables
from reports.columns import is_ok, word
from reports.frames import ARM, Run
from reports.ranking import YES
from reports.reported import Reported
from reports.tracks import FLOOR

SHOWN = ("implementation", "track", "problem", "workload", "mode", "time", "ratio", "verdict")
KEYS = ("device", "problem", "workload", "mode", "track")
"""What rows are filtered by, beside the machine, the run and the implementation's name."""


@dataclass(frozen=True)
class Cell:
    """A cell's text, its class, and the number to sort by: empty where it is not known, None without one."""

    text: str
    style: str
    value: str | None = None
    columns: int = 1


@dataclass(frozen=True)
class Row:
    """A row of the page: its cells after the name, and what it says when it is opened."""

    number: int
    id: str
    name: str
    style: str
    keys: dict[str, str]
    cells: Sequence[Cell]
    more: Sequence[tuple[str, str]]
    replicates: str
    versions: str
    command: str


def of_page(baseline: str, several_devices: bool) -> list[Column]:
    """Return the columns of the page's table; the first one names the row."""
    known = {column.key: column for column in columns.of_summary(baseline)}
    known |= {name: Column(name, name, word(name), words=True) for name in ("problem", "workload", "mode", "device")}
    return [known[key] for key in (*SHOWN[:5], *(("device",) if several_devices else ()), *SHOWN[5:])]


class Ids:
    """The ids of rows, by which an address names a row: the same for the same row whenever the page is built."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def new(self, run: str, row: Any) -> str:
        """Return such as `t64-b1-i128-h128/sequence/train_step/torch_lstm`.

        Args:
            run: the run's name; empty for the one that heads the page, whose rows need none.
            row: of a summary. What an address can't hold becomes a hyphen.
        """
        device = "" if row.device == "cpu" else row.device
        parts = (run, row.problem, row.workload, row.mode, device, row.implementation)
        name = "/".join(re.sub(r"[^A-Za-z0-9._-]+", "-", str(part)) for part in parts if part)
        numbered = (f"{name}.{k}" for k in itertools.count(2))
        unique = next(each for each in itertools.chain([name], numbered) if each not in self.taken)
        self.taken.add(unique)
        return unique


def rows(runs: Sequence[tuple[str, Reported]], several_devices: bool) -> Iterator[Row]:
    """Yield the rows of some runs, each with the name of its machine; the first run heads the page."""
    ids, number = Ids(), itertools.count()
    for machine, each in runs:
        run = each.run
        shown = of_page(run.baseline, several_devices)
        seconds = {
            arm: found["seconds"].dropna().to_numpy(float)
            for arm, found in run.records.groupby(ARM, sort=False, observed=True)
        }
        for section in tables.sections(each.summary, run.baseline):
            rest = [column for column in section.columns if column.key not in SHOWN]
            for row in section.rows:
                times = seconds[tuple(getattr(row, name) for name in ARM)] if is_ok(row) else ()
                yield Row(
                    number=next(number),
                    id=ids.new("" if each is runs[0][1] else each.name, row),
                    name=one_line(shown[0].cell(row)),
                    style=tables.style(row) + (" fastest" if is_ok(row) and row.fastest == YES else ""),
                    keys={"machine": machine, "run": each.name, **{name: str(getattr(row, name)) for name in KEYS}},
                    cells=list(_cells(shown[1:], row)),
                    more=[(column.name, text) for column in rest if is_ok(row) and (text := column.cell(row))],
                    replicates=", ".join(map(formatting.duration, times)),
                    versions=str(row.versions),
                    command=command(run, row),
                )


def _cells(shown: Sequence[Column], row: Any) -> Iterator[Cell]:
    """Yield the cells of a row; that of a failed arm has its reason in place of what was not measured."""
    for column in shown:
        if not is_ok(row) and column.key in ("ratio", "verdict"):
            if column.key == "ratio":
                yield Cell(str(row.reason), "reason words", "", columns=2)
            continue
        value = None
        if column.sort is not None:
            number = getattr(row, column.sort)
            value = "" if pd.isna(number) else f"{float(number):.6g}"
        yield Cell(column.cell(row), f"{column.key} words" if column.words else column.key, value)


def command(run: Run, row: Any) -> str:
    """Return the command line that measures a row again, beside the baseline."""
    options = run.metadata.run
    file_of = {Path(implementation).stem: implementation for implementation in options.implementations}
    words = ["nox", "-s", "bench", "--"]
    for name in dict.fromkeys((str(row.implementation), run.baseline)):
        words += ["--impl", file_of.get(name, name)] if name != FLOOR else []
    words += ["--problem", str(row.problem), "--workload", str(row.workload), "--mode", str(row.mode)]
    words += ["--device", str(row.device), "--baseline", run.baseline]
    for option in ("threads", "replicates", "blocks", "seed"):
        value = getattr(options, option)
        words += [f"--{option}", str(value)] if value else []
    if options.weights:
        words += ["--weights", options.weights]
    return shlex.join(words)
