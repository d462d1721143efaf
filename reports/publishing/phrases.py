"""How README and docs write a row, and a run with its machine."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from benchmarks import processors
from benchmarks.words import count, duration, span
from reports import code_age, frames, tables
from reports.code_age import age
from reports.frames import Run
from reports.preamble import torch_and_jax
from reports.report import Report
from reports.verdict import BASELINE, FASTER, UNCLEAR


def rows(every: pd.DataFrame, mode: str, problem: str) -> dict[str, Any]:
    """Return the row of each implementation that has a ratio and still exists, of those of composition.together.

    Releases such as `jax_scan@jax==0.8.*` are left out: a question has them.
    """
    found = every[(every["problem"] == problem) & (every["mode"] == mode) & every["ratio"].notna()]
    found = found[found["implementation"].isin(code_age.digests())]
    return {str(row.implementation): row for row in found.itertuples(index=False)}


def cell(row: Any) -> str:
    """Return a ratio with its verdict, and whether it is of older code."""
    if row is None:
        return "–"
    ratio = tables.ratio()(row)
    if row.verdict == FASTER:
        ratio = re.sub(r"^[\d.]+", r"**\g<0>**", ratio)
    text = f"1 ({duration(row.seconds)})" if row.verdict == BASELINE else ratio
    return text + (f" {UNCLEAR}" if row.verdict == UNCLEAR else "") + age(row)


def over(row: Any) -> str | None:
    """Return the time of a row of cliffs.costs over the baseline's without the option; None where there is no row."""
    return None if row is None else f"{tables.ratio('over')(row)}{age(row)}"


def measured(report: Report) -> str:
    """Return such as `AMD EPYC, family 26 (Zen 5), AVX-512, 2 cores; torch 2.13.0, jax 0.10.2; 2026-11-29`."""
    machine = report.run.metadata.machine
    words = f"{processors.words(machine)}, {count(machine.cores or 0, 'core')}"
    return f"{words}; {torch_and_jax(report.run)}; {when(report.run)}"


def when(run: Run) -> str:
    """Return such as `5 rounds, 2026-11-29`."""
    often = f"{count(len(run.rounds), 'round')}, " if len(run.rounds) > 1 else ""
    return often + span(sorted(map(frames.began, run.rounds)))
