"""The tables in GitHub's Markdown: table.md, and the short table of README."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from tabulate import tabulate

from benchmarks.columns import Column
from benchmarks.words import markdown_cell
from reports import formatting, tracks
from reports.answers import answers
from reports.columns import ratio
from reports.frames import Run
from reports.preamble import notes, preamble
from reports.ranking import YES
from reports.tables import Section, sections
from reports.verdict import BASELINE, UNCLEAR


def table(columns: Sequence[Column], rows: Sequence[Any]) -> str:
    """Return rows as a table, every value escaped."""
    return tabulate(
        [[markdown_cell(column.cell(row)) for column in columns] for row in rows],
        headers=[markdown_cell(column.name) for column in columns],
        tablefmt="pipe",
        colalign=["left" if column.words else "right" for column in columns],
        disable_numparse=True,
    )


def document(run: Run, summary: pd.DataFrame, made: Sequence[Section] | None = None) -> str:
    """Return table.md: what the run answers, then every table, under the preamble and above the notes.

    Args:
        run, summary: a run and its summary.
        made: its sections, where they have been made.
    """
    parts = ["# LSTM benchmarks", _list(preamble(run))]
    for answer in (each for part in answers(run, summary).values() for each in part):
        parts += [f"## {markdown_cell(answer.title)}", markdown_cell(answer.sentence)]
        parts.append(table(answer.columns, answer.rows))
    for section in made or sections(summary, run.baseline):
        parts += [f"## {markdown_cell(section.title)}", table(section.columns_with_reason, section.rows)]
    return "\n\n".join([*parts, _list(notes(run))]) + "\n"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {markdown_cell(line)}" for line in lines)


def readme(run: Run, summary: pd.DataFrame, workload: str, mode: str) -> str:
    """Return README's table: one workload and mode, the ratios of every problem side by side.

    Bold is the fastest of its track; `unclear` stands beside a ratio whose verdict is that. Where the run knows which
    kernels ran, the last column has those of the first problem.
    """
    rows = summary[(summary["workload"] == workload) & (summary["mode"] == mode) & (summary["status"] == "ok")]
    baseline = rows[rows["implementation"] == run.baseline].set_index("problem")
    problems = [str(problem) for problem in dict.fromkeys(rows["problem"])]
    cells: dict[tuple[str, str], dict[str, str]] = {}
    logs: dict[tuple[str, str], list[float]] = {}
    row: Any
    for row in rows.itertuples(index=False):
        bold = "**" if row.fastest == YES else ""
        shown = "1" if row.verdict == BASELINE else ratio()(row)
        implementation = str(row.track), str(row.implementation)
        cell = f"{bold}{shown}{bold}" + (f" {UNCLEAR}" if row.verdict == UNCLEAR else "")
        cells.setdefault(implementation, {})[str(row.problem)] = cell
        logs.setdefault(implementation, []).append(math.log(row.ratio))
    ranked = sorted(cells, key=lambda key: (tracks.rank(key[0]), sum(logs[key]) / len(logs[key])))
    header = ["track", "implementation"]
    for problem in problems:
        times = baseline.loc[problem, ["seconds", "seconds_low", "seconds_high"]]
        header.append(f"{markdown_cell(problem)}<br>{formatting.time_with_interval(*times)}")
    table = [[*map(markdown_cell, key), *(cells[key].get(problem, "–") for problem in problems)] for key in ranked]
    first = rows[(rows["problem"] == problems[0]) & rows["kernel"].notna()]
    if len(first):
        kernels = dict(zip(first["implementation"], first["kernel"], strict=True))
        header.append(f"kernel at {markdown_cell(problems[0])}")
        for (_, name), line in zip(ranked, table, strict=True):
            line.append(markdown_cell(str(kernels.get(name, "–"))))
    return tabulate(table, headers=header, tablefmt="github", disable_numparse=True)
