"""A run on a terminal: its tables, and below them the answer, the page, and how to see the rest."""

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import pandas as pd
from rich.table import Table

from benchmarks import tables
from benchmarks.tables import CleanConsole, Column
from benchmarks.words import count, duration, listed
from reports import estimates
from reports.frames import BENCHMARK
from reports.headline import answer, clearly_fastest, recommendations
from reports.preamble import preamble
from reports.report import Report
from reports.tables import Section, ratio, sections, style, word, words_of
from reports.tables import columns as columns_of
from reports.verdict import BASELINE

STYLES = {"faster": "green", "slower": "red", "failed": "yellow", "baseline": "bold"}


def subject(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of what a run is about first: a sequence, a training step, and its first device.

    Where the run has no time for one of these, the first counts that it has one for. Without any time, none is left.
    """
    for column, wanted in (("workload", "sequence"), ("mode", "train_step"), ("device", None)):
        timed = summary.loc[summary["status"] == "ok", column]
        if timed.empty:
            return summary.head(0)
        value = wanted if wanted in set(timed) else timed.iloc[0]
        summary = summary[summary[column] == value]
    return summary


def _style(row: Any) -> str:
    return STYLES.get(style(row), "")


def _table(section: Section, shown: Sequence[Column]) -> Table:
    """Return a section's table with these columns; a blank row separates the tracks."""
    rows: list[Any] = []
    for row in section.rows:
        if rows and row.track != rows[-1].track:
            rows.append(None)
        rows.append(row)
    return tables.terminal(shown, rows, section.title, _style)


def show(report: Report, console: CleanConsole, page: str) -> None:
    """Print the tables that the headline is about, the reasons of failures, and at the end the answer."""
    for line in preamble(report.run):
        console.say(line, "dim")
    every = list(sections(report))
    of_headline = subject(report.summary)[BENCHMARK].astype(str)
    benchmarks = set(of_headline.itertuples(index=False, name=None))
    seen = [section for section in every if section.benchmark in benchmarks] or every
    columns = columns_of(report)
    shown = tables.fitting(
        columns, lambda some: [_table(section, some) for section in seen], console
    )
    for section in seen:
        console.print()
        console.print(_table(section, shown))
    console.print()
    _show_failures(report, len(every), console)
    left_out = [column for column in columns if column not in shown]
    if left_out:
        left_out.sort(key=attrgetter("priority"))
        names = ", ".join(column.name for column in left_out)
        console.say(
            f"Columns left out, to fit the width: {names}. table.md has all of them.", "dim"
        )
    if len(report.sound):
        for line in (
            f"unclear: we can't tell it from {report.baseline}. table.md explains the other words.",
            "A ratio is taken within blocks, so it can contradict the times: trust the ratio.",
        ):
            console.say(line, "dim")
    console.print()
    _show_answer(report, console)
    rest = len(every) - len(seen)
    more = f"; table.md has {count(rest, 'more table')}" if rest else ""
    console.say(f"the page is {page}{more}", soft_wrap=True)


def _show_failures(report: Report, number_of_tables: int, console: CleanConsole) -> None:
    failed = report.summary[report.summary["status"] != "ok"]
    failures = Counter(
        zip(failed["implementation"], failed["status"], failed["reason"], strict=True)
    )
    for (name, status, reason), number in failures.items():
        where = f"in {number} of {count(number_of_tables, 'table')}"
        console.say(f" {name}, {where}: {status}: {reason}", STYLES["failed"])


def best_others(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the row of the best of the others at each benchmark, with base_seconds.

    The rows have a time. What is clearly faster is better than what only may be.
    """
    key = ["workload", "mode", "where"]
    is_base = rows["verdict"] == BASELINE
    base = rows[is_base].set_index(key)["seconds"].rename("base_seconds")
    others = rows[~is_base & rows["ratio"].notna()]
    chosen = []
    for _, group in others.groupby(key, sort=False):
        fastest = clearly_fastest(group)
        chosen.append(group.sort_values("ratio").iloc[0] if fastest is None else fastest)
    return pd.DataFrame(chosen, columns=others.columns).merge(base, on=key)


def _show_answer(report: Report, console: CleanConsole) -> None:
    """Print the best at each mode and problem, what to use, what failed, and whether the machine was busy.

    It is about training and inference of a sequence, or else about what the headline is.
    """
    about = report.asked
    if report.sound.empty:
        about = subject(report.summary)
        about = about.assign(where=about["problem"])
    timed = about[about["status"] == "ok"]
    modes = best_others(timed).groupby(["workload", "mode"], sort=False)
    columns = (
        Column("where", "", word("where"), words=True),
        Column("time", report.baseline, lambda row: duration(row.base_seconds), priority=0),
        words_of("implementation", "the best other"),
        Column("ratio", f"× {report.baseline} [95 %]", ratio()),
        words_of("verdict"),
    )

    def made(some: Sequence[Column]) -> list[Table]:
        return [
            tables.terminal(some, rows.itertuples(), f"{workload}, {mode}", _style)
            for (workload, mode), rows in modes
        ]

    for table in made(tables.fitting(columns, made, console)):
        console.print(table)
    for line in answer(list(recommendations(report, timed))):
        console.say(line, "bold")
    bad = report.run.failures(about)
    if len(bad):
        names = listed(sorted(bad["implementation"].unique()))
        console.say(f"{names} failed: the lines above say why.", "bold yellow")
    warning = estimates.noise(report.run).warning
    if warning:
        console.say(warning, "bold yellow")
