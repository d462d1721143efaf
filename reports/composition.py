"""What a page shows, and from which of its runs: reports.today says which run heads it, and others fill in."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import pandas as pd

from benchmarks import processors
from benchmarks.tables import Column
from benchmarks.words import duration
from impls.core.precision import IEEE
from reports import tables
from reports.charts.drawing import Drawing
from reports.charts.shapes import best_of_frameworks
from reports.frames import ARM, Run, began, machine_label
from reports.headline import Recommendation, recommendations
from reports.report import Answer, Report
from reports.tables import is_ok, words_of
from reports.today import OLDER, file_of, is_today, of_today
from reports.tracks import DEFAULT
from reports.verdict import BASELINE, YES


@dataclass(frozen=True)
class Machine:
    """A machine, and the reports of those of its runs that stand on the page: the first one heads it."""

    label: str
    runs: tuple[Report, ...]

    @property
    def head(self) -> Report:
        """The run that heads the machine's part of the page."""
        return self.runs[0]


def machines(reports: Sequence[Report]) -> list[Machine]:
    """Return the machines of some runs, each with the runs that stand on a page.

    A run stands if it has an arm at a benchmark that no run before it has on that machine.
    """
    of_machine: dict[str, list[Report]] = {}
    seen: dict[str, set[tuple[str, ...]]] = {}
    for each in reports:
        key = machine_label(each.run.metadata)
        arms = set(each.summary[ARM].astype(str).itertuples(index=False, name=None))
        if not arms <= seen.setdefault(key, set()):
            of_machine.setdefault(key, []).append(each)
            seen[key] |= arms
    found: list[Machine] = []
    for runs in of_machine.values():
        label = words(runs[0].run)
        taken = any(other.label == label for other in found)
        found.append(Machine(f"{label} ({runs[0].name})" if taken else label, tuple(runs)))
    return found


def words(run: Run) -> str:
    """Return the processor, and the GPU if there is one."""
    machine = run.metadata.machine
    cpu = processors.words(machine).replace("(R)", "").replace(" Processor", "")
    return ", ".join(part for part in (cpu, machine.gpu_with_driver) if part)


def together(reports: Sequence[Report]) -> pd.DataFrame:
    """Return the row of each implementation that has a time for a sequence: of today's code, or of the first report.

    Of a file that ran with several releases of a package, only the present one stands here, if it is there. Runs whose
    baseline is another than the first's are left out. Columns: `number`, which report it is of; `day`, when it began.
    """
    every = pd.concat(
        [
            each.sound.assign(number=number, day=began(each.run.run_id))
            for number, each in enumerate(reports)
            if each.baseline == reports[0].baseline
        ],
        ignore_index=True,
    )
    names = every["implementation"].astype(str)
    present = (
        (names == file_of(names)) | ~file_of(names).isin(names) | (every["verdict"] == BASELINE)
    )
    rows = (
        every[present]
        .assign(unknown=every["ratio"].isna())
        .sort_values(["older", "unknown"], kind="stable")
    )
    return rows.drop_duplicates(["problem", "mode", "device", "implementation"]).sort_index()


def advice(machine: Machine) -> list[Recommendation]:
    """Return what to use at each shape for each purpose, of all that was measured there."""
    return list(recommendations(machine.head, together(machine.runs)))


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


def shown(machine: Machine) -> list[tuple[Drawing | Answer, Report]]:
    """Return each chart and answer of a machine's runs, and the run that shows most of it, which it is from."""
    found: dict[str, list[tuple[bool, int, Drawing | Answer, Report]]] = {}
    for report in machine.runs:
        today = of_today(report.run) > 0
        for each in report.shown:
            size = len(each.said if isinstance(each, Drawing) else each.frame)
            found.setdefault(each.title, []).append((today, size, each, report))
    return [max(same, key=itemgetter(0, 1))[2:] for same in found.values()]


def _named(row: Any) -> str:
    """Return the name of an implementation, its track where it is not plain code, and whether that is older."""
    words = [
        row.implementation,
        *([] if row.track == DEFAULT else [row.track]),
        *([OLDER] if row.older else []),
    ]
    return ", ".join(map(str, words))


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
