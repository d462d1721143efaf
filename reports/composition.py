"""What a page shows, and from which of its runs: a machine is headed by its newest full run, and others fill in.

A quick run must not hide a full one, and a run of a few shapes that others have published has more to say on those
than the run that heads the page.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import processors
from benchmarks.tables import Column
from reports import formatting, history, tables, tracks
from reports.frames import ARM, Run
from reports.headline import Recommendation, recommendations
from reports.report import EVERY, HEAD, PURPOSES, Report, Shown
from reports.tables import is_ok, words_of
from reports.verdict import BASELINE, UNCLEAR, YES


@dataclass(frozen=True)
class Machine:
    """A machine, and the reports of those of its runs that stand on the page: the first one heads it."""

    label: str
    runs: Sequence[Report]

    @property
    def head(self) -> Report:
        """The run that heads the machine's part of the page."""
        return self.runs[0]


@dataclass(frozen=True)
class Map:
    """The map of one purpose on one device: shapes across, implementations down, in the order of their tracks.

    A row has the implementation and its cells: the text of each, and the words that decide how it looks.
    """

    mode: str
    device: str
    shapes: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[str, str]]]]


def machines(reports: Sequence[Report]) -> list[Machine]:
    """Return the machines of some runs, each with the runs that stand on a page.

    A run stands if it has an arm at a benchmark that no run before it has on that machine.

    Args:
        reports: the runs, in the order of the page.
    """
    of_machine: dict[str, list[Report]] = {}
    seen: dict[str, set[tuple[str, ...]]] = {}
    for each in reports:
        key = history.machine_label(each.run.metadata)
        arms = set(each.summary[ARM].astype(str).itertuples(index=False, name=None))
        if not arms <= seen.setdefault(key, set()):
            of_machine.setdefault(key, []).append(each)
            seen[key] |= arms
    found: list[Machine] = []
    for runs in of_machine.values():
        label = words(runs[0].run)
        taken = any(other.label == label for other in found)
        found.append(Machine(f"{label} ({runs[0].name})" if taken else label, runs))
    return found


def words(run: Run) -> str:
    """Return the processor, and the GPU if there is one."""
    machine = run.metadata.machine
    return ", ".join(part for part in (processors.words(machine), machine.gpu) if part)


def advice(machine: Machine) -> list[Recommendation]:
    """Return what to use at each shape for each purpose, from the run that compared most implementations there."""
    chosen: dict[tuple[str, str, str], Recommendation] = {}
    for report in machine.runs:
        for found in recommendations(report):
            key = found.problem, found.mode, found.device
            if key not in chosen or found.compared > chosen[key].compared:
                chosen[key] = found
    return list(chosen.values())


def maps(head: Report, advised: Iterable[Recommendation]) -> Iterator[Map]:
    """Yield the map of each purpose that has at least two shapes and two implementations with a ratio.

    The shapes are those of the run that heads a machine; each is taken from the run that the advice is from.
    """
    known = set(head.summary["problem"].astype(str))
    for mode in PURPOSES:
        chosen = [each for each in advised if each.mode == mode and each.problem in known]
        for device in dict.fromkeys(each.device for each in chosen):
            parts = [each.rows for each in chosen if each.device == device and each.report.baseline == head.baseline]
            rows = pd.concat(parts, ignore_index=True) if parts else head.asked[:0]
            shapes = list(dict.fromkeys(rows["problem"].astype(str)))
            measured = rows[(rows["status"] == "ok") & rows["ratio"].notna()]
            if len(shapes) < 2 or measured["implementation"].nunique() < 2:
                continue
            cells = {(row.implementation, row.problem): _cell(row) for row in rows.itertuples(index=False)}
            names = tracks.in_order(rows, "ratio")
            lines = [(name, [cells.get((name, shape), ("–", "")) for shape in shapes]) for name in names]
            yield Map(mode, device, shapes, lines)


ENDS = (0.5, 0.7, 0.87, 0.97, 1.03, 1.15, 1.5, 2.5, 5.0)
"""The ratios at which the colour changes, from much faster to much slower than the baseline."""


def _cell(row: Any) -> tuple[str, str]:
    """Return the text of a cell, and a colour such as `b4`, with `unclear` where that is the verdict."""
    if row.status != "ok" or pd.isna(row.ratio):
        return "–" if row.status == "ok" else str(row.status), ""
    text = "1" if row.verdict == BASELINE else f"{row.ratio:.2f}" if row.ratio < 9.995 else f"{row.ratio:.0f}"
    return text, f"b{colour(row.ratio)}" + (" unclear" if row.verdict == UNCLEAR else "")


def colour(ratio: float) -> int:
    """Return the number of a ratio's colour: 0 is much faster than the baseline, 4 about equal, 9 much slower."""
    return sum(ratio > end for end in ENDS)


def sections(found: Sequence[Machine]) -> Mapping[str, list[tuple[Shown, Report]]]:
    """Return what the sections of a page show, each chart and answer with the run that it was taken from.

    Which run that is, the part says: see reports.parts. A chart of a single problem is shown only where the run that
    heads the page has the problem.
    """
    head = found[0].head
    problems = {None, *head.summary["problem"].astype(str)}
    chosen: dict[tuple[str, str], list[tuple[Shown, Report]]] = {}
    for machine in found:
        here: dict[tuple[str, str], list[tuple[Shown, Report]]] = {}
        for report in machine.runs:
            for each in report.shown:
                if each.problem in problems and (report is head or each.source != HEAD):
                    here.setdefault((each.section, each.name), []).append((each, report))
        for key, same in here.items():
            if same[0][0].source == EVERY:
                chosen.setdefault(key, []).extend(same)
            else:
                chosen.setdefault(key, [max(same, key=lambda pair: pair[0].size)])
    by_section: dict[str, list[tuple[Shown, Report]]] = {}
    for (section, _), taken in chosen.items():
        by_section.setdefault(section, []).extend(taken)
    return {name: sorted(taken, key=lambda pair: pair[0].order) for name, taken in by_section.items()}


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
        for section in tables.sections(report):
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
    chosen = [("impl", file_of.get(name, name)) for name in dict.fromkeys((str(row.implementation), run.baseline))]
    chosen += [(name, getattr(row, name)) for name in ("problem", "workload", "mode", "device")]
    chosen += [("baseline", run.baseline)]
    chosen += [(name, getattr(options, name)) for name in ("threads", "replicates", "blocks", "seed", "weights")]
    words = [word for name, value in chosen if value for word in (f"--{name}", str(value))]
    return shlex.join(["nox", "-s", "bench", "--", *words])
