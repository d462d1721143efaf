"""A run on a terminal: its tables, and below them the answer, the page, and how to see the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import pandas as pd
from rich.table import Table

from benchmarks import tables
from benchmarks.record import harmless
from benchmarks.tables import CleanConsole, Column
from benchmarks.words import count, duration, listed
from reports import estimates
from reports.headline import answer, clearly_fastest, recommendations, subject
from reports.preamble import preamble
from reports.report import Report
from reports.tables import Section, ratio, sections, style, word
from reports.verdict import BASELINE

STYLES = {"faster": "green", "slower": "red", "failed": "yellow", "baseline": "bold"}


def _style(row: Any) -> str:
    return STYLES.get(style(row), "")


def _table(section: Section, shown: Sequence[Column]) -> Table:
    """Return a section's table with these columns; a blank row separates the tracks."""
    of_tracks = [list(rows) for _, rows in groupby(section.rows, lambda row: row.track)]
    rows = [row for k, mine in enumerate(of_tracks) for row in ([None, *mine] if k else mine)]
    return tables.terminal(shown, rows, section.title, _style)


def show(report: Report, console: CleanConsole, page: str) -> None:
    """Print the tables that the headline is about, the reasons of failures, and at the end the answer."""

    def say(line: str, style: str = "dim", **how: Any) -> None:
        console.print(line, style=style, markup=False, highlight=False, **how)

    for line in preamble(report.run):
        say(line)
    every = list(sections(report))
    about = subject(report.summary)
    chosen = (
        [str(about[name].iloc[0]) for name in ("workload", "mode", "device")] if len(about) else []
    )
    seen = [each for each in every if list(each.benchmark[1:]) == chosen] or every
    columns = every[0].columns
    shown = tables.fitting(
        columns, lambda some: (_table(section, some) for section in seen), console
    )
    for section in seen:
        console.print()
        console.print(_table(section, shown))
    console.print()
    bad = report.summary.loc[
        report.summary["status"] != "ok", ["implementation", "status", "reason"]
    ]
    for (name, status, reason), number in Counter(bad.itertuples(index=False, name=None)).items():
        say(
            f" {name}, in {number} of {count(len(every), 'table')}: {status}: {reason}",
            STYLES["failed"],
        )
    if left_out := [column for column in columns if column not in shown]:
        names = ", ".join(column.name for column in sorted(left_out, key=attrgetter("priority")))
        say(f"Columns left out, to fit the width: {names}. table.md has all of them.")
    if len(report.sound):
        say(f"unclear: we can't tell it from {report.baseline}. table.md explains the other words.")
        say("A ratio is taken within blocks, so it can contradict the times: trust the ratio.")
    console.print()
    _answer(report, console)
    more = (
        f"; table.md has {count(len(every) - len(seen), 'more table')}"
        if len(every) > len(seen)
        else ""
    )
    say(f"the page is {page}{more}", "", soft_wrap=True)


def best_others(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the row of the best of the others at each benchmark, with base_seconds.

    The rows have a time. What is clearly faster is better than what only may be.
    """
    key = ["workload", "mode", "where"]
    base = rows.loc[rows["verdict"] == BASELINE, [*key, "seconds"]].rename(
        columns={"seconds": "base_seconds"}
    )
    others = rows[(rows["verdict"] != BASELINE) & rows["ratio"].notna()]
    chosen = []
    for _, group in others.groupby(key, sort=False):
        fastest = clearly_fastest(group)
        chosen.append(group.sort_values("ratio").iloc[0] if fastest is None else fastest)
    return pd.DataFrame(chosen, columns=others.columns).merge(base, on=key)


def _answer(report: Report, console: CleanConsole) -> None:
    """Print the best at each mode and problem, what to use, what failed, and whether the machine was busy.

    It is about training and inference of a sequence, or else about what the headline is.
    """
    about = (
        report.asked
        if len(report.sound)
        else subject(report.summary).assign(where=lambda rows: rows["problem"])
    )
    timed = about[about["status"] == "ok"]
    best = best_others(timed)
    columns = (
        Column("where", "", word("where"), words=True),
        Column("time", report.baseline, lambda row: duration(row.base_seconds), priority=0),
        Column("best", "the best other", word("implementation"), words=True),
        Column("ratio", f"× {report.baseline} [95 %]", ratio()),
        Column("verdict", "verdict", word("verdict"), words=True),
    )

    def made(some: Sequence[Column]) -> list[Table]:
        modes = best.groupby(["workload", "mode"], sort=False)
        return [
            tables.terminal(some, rows.itertuples(), ", ".join(map(str, mode)), _style)
            for mode, rows in modes
        ]

    for table in made(tables.fitting(columns, made, console)):
        console.print(table)
    sentence, lines = answer(list(recommendations(report, timed)))
    for line in (sentence, *lines):
        console.print(line, style="bold", markup=False, highlight=False)
    bad = about[~about["status"].isin(harmless(report.run.metadata.machine.gpu))][
        "implementation"
    ].astype(str)
    failed = f"{listed(sorted(set(bad)))} failed: the lines above say why." if len(bad) else ""
    for line in filter(None, (failed, estimates.noise(report.run).warning)):
        console.print(line, style="bold yellow", markup=False, highlight=False)
