"""The rows of rows.html: their columns, their addresses, and the command lines that measure them again."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.processors import UNKNOWN
from benchmarks.tables import Column
from benchmarks.words import duration
from impls.core.precision import IEEE
from reports import tables
from reports.frames import ARM, Run
from reports.machines import Machine
from reports.preamble import torch_and_jax
from reports.report import Report
from reports.tables import Section, words_of

COLUMNS = (
    "implementation",
    "track",
    "problem",
    "workload",
    "mode",
    "device",
    "time",
    "ratio",
    "verdict",
)
"""The keys of the table's columns. The others of a run's tables stand where a row is opened."""
ALWAYS_SHOWN = {*COLUMNS} - {"time"}
"""A phone leaves the time out of the table."""
VERSION = re.compile(r"([\w.-]+) (\d[\w.]*)")
"""A package and its version in a row's words, without a build such as `+cpu`, which PyPI does not have."""


def columns(baseline: str, several_devices: bool) -> list[Column]:
    """Return the columns of the table; the first one names the row."""
    known = (*tables.of_summary(baseline), *tables.WHERE, tables.TRACK, words_of("workload"))
    of_key = {column.key: column for column in known}
    return [of_key[key] for key in COLUMNS if key != "device" or several_devices]


def rows(machines: Sequence[Machine]) -> Iterator[tuple[str, Report, list[Column], Any]]:
    """Yield each row of all runs of some machines, after its machine, its run, and the columns of what it opens to."""
    for machine in machines:
        for report in machine.runs:
            for section in _sections(report):
                more = [each for each in section.columns if each.key not in ALWAYS_SHOWN]
                for row in sorted(section.rows, key=_fastest_first):
                    yield machine.label, report, more, row


def _fastest_first(row: Any) -> tuple[bool, float]:
    """Return by what the rows of a benchmark are ordered, whatever their track: what has no ratio comes last."""
    return pd.isna(row.ratio), 0.0 if pd.isna(row.ratio) else row.ratio


def _sections(report: Report) -> Iterator[Section]:
    """Yield the tables of a run; a row has whether it is of older code, and the times of its replicates in words."""
    seconds = report.run.records.groupby(ARM)["seconds"]
    replicates = seconds.agg(lambda times: ", ".join(map(duration, times))).rename("replicates")
    summary = report.rows.join(replicates, on=ARM)
    return tables.sections(replace(report, summary=summary))


def sort_key(row: Any, column: Column) -> str:
    """Return the number by which a column sorts a row of a summary; empty where it is not known."""
    value = getattr(row, str(column.sort))
    return "" if pd.isna(value) else f"{value:.6g}"


def row_id(report: Report, head: Report, row: Any) -> str:
    """Return the id of a row, such as `t64-b1-i128-h128/sequence/train_step/torch_lstm`, after the name of another run.

    What an address can't hold becomes a hyphen.
    """
    parts = [row.problem, row.workload, row.mode, row.implementation]
    if row.device != "cpu":
        parts.insert(3, row.device)
    if report is not head:
        parts.insert(0, report.name)
    return re.sub(r"[^A-Za-z0-9._/-]+", "-", "/".join(parts))


def library(row: Any) -> str:
    """Return the library that a row's implementation is written in, such as `jax`."""
    return str(row.versions).partition(" ")[0]


def python(run: Run, row: Any) -> str:
    """Return the version of the Python that a row was measured with."""
    own = dict(VERSION.findall(str(row.versions)))
    return own.get("Python") or run.metadata.versions.get("python") or UNKNOWN


def executable(run: Run, row: Any) -> str:
    """Return the name of that Python, such as python3.13: another may not have the row's versions."""
    minor = re.match(r"\d+\.\d+", python(run, row))
    return f"python{minor[0]}" if minor else "python3"


def again(run: Run, row: Any) -> str:
    """Return the line for a shell, in a clone, that measures a row again at its commit with its versions.

    A row of a named release, such as `jax_scan@jax==0.8.*`, has its package in the command: to pin it for the whole
    suite would contradict that.
    """
    pins = dict(VERSION.findall(torch_and_jax(run)))
    own = dict(VERSION.findall(str(row.versions)))
    own.pop("Python", None)
    if "@" in row.implementation:
        pins = {name: pin for name, pin in pins.items() if name not in own}
    else:
        pins |= own
    steps = []
    commit = run.metadata.commit
    if commit.id and not commit.dirty:
        steps.append(f"git checkout {shlex.quote(commit.id[:12])}")
    measure = command(run, row)
    if pins:
        words = shlex.join(f"{name}=={version}" for name, version in pins.items())
        steps.append(f"printf '%s\\n' {words} > pins.txt")
        measure = f"UV_CONSTRAINT=$PWD/pins.txt {measure}"
    return " && ".join([*steps, measure])


def over_lines(line: str) -> str:
    """Return a line for a shell with each of its commands and each long option on a line of its own."""
    with_commands = line.replace(" && ", " &&\n")
    return re.sub(r" (?=--\w)", r" \\\n  ", with_commands)


def command(run: Run, row: Any) -> str:
    """Return the command line that measures a row again, beside the baseline."""
    options = run.metadata.run
    typed = {Path(text).name.replace(".py", "", 1): text for text in options.implementations}
    words = ["nox", "-s", "bench", "--"]
    for name in dict.fromkeys((row.implementation, run.baseline)):
        words += ["--impl", typed.get(name, name)]
    values = {
        "problem": row.problem,
        "workload": row.workload,
        "mode": row.mode,
        "device": row.device,
        "precision": "" if options.precision == IEEE else options.precision,
        "baseline": run.baseline,
        "rounds": len(run.metadata.rounds),
        "threads": options.threads,
        "replicates": options.replicates,
        "blocks": options.blocks,
        "seed": options.seed,
        "weights": options.weights,
    }
    for name, value in values.items():
        if value:
            words += [f"--{name}", str(value)]
    return shlex.join(words)
