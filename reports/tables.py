"""A run's tables, one for each benchmark: as Markdown, LaTeX and CSV, and on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd
from rich.table import Table

from benchmarks import tables
from benchmarks.tables import ALWAYS, CleanConsole, Column, all_fit
from benchmarks.words import count, markdown_cell
from impls.core.text import one_line
from reports import formatting, tracks
from reports.frames import BENCHMARK
from reports.headline import subject
from reports.preamble import notes, preamble
from reports.report import Report
from reports.verdict import BASELINE


def is_ok(row: Any) -> bool:
    """Return whether a row of a summary has a time."""
    return bool(row.status == "ok")


def where_ok(cell: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return a cell that is empty in the row of a failed arm."""
    return lambda row: cell(row) if is_ok(row) else ""


def word(name: str) -> Callable[[Any], str]:
    """Return a cell that shows an attribute of a row as it is; nothing known is a dash."""
    return lambda row: "–" if pd.isna(getattr(row, name)) else str(getattr(row, name))


def words_of(name: str, header: str | None = None) -> Column:
    """Return the column of an attribute that holds words; its header is the name, where nothing else is given."""
    return Column(name, header or name, word(name), words=True)


WHERE = tuple(map(words_of, ("problem", "mode", "device")))


def time_of(suffix: str = "") -> Callable[[Any], str]:
    """Return a cell that shows a time with its interval."""
    ends = [f"{name}{suffix}" for name in ("seconds", "seconds_low", "seconds_high")]
    return lambda row: formatting.time_with_interval(*(float(getattr(row, end)) for end in ends))


def ratio(name: str = "ratio") -> Callable[[Any], str]:
    """Return a cell that shows a ratio with its interval."""
    ends = (name, f"{name}_low", f"{name}_high")
    return lambda row: (
        "–" if pd.isna(getattr(row, name)) else formatting.interval(*(float(getattr(row, end)) for end in ends))
    )


def _time(row: Any) -> str:
    """Return the time with its interval; for a failed arm its status."""
    return time_of()(row) if is_ok(row) else str(row.status)


def _ratio(row: Any) -> str:
    return "1" if row.verdict == BASELINE else ratio()(row)


def number(name: str, words: Callable[[float], str]) -> Callable[[Any], str]:
    """Return a cell that shows a number in some words."""
    return lambda row: words(getattr(row, name))


def _cores(used: float) -> str:
    return "–" if pd.isna(used) else f"{used:.2f}"


def _gpu_busy(row: Any) -> str:
    kernels = "" if pd.isna(row.gpu_seconds) else f" ({row.gpu_kernels:.0f})"
    return formatting.duration(row.gpu_seconds) + kernels


REASON = Column("reason", "reason", lambda row: str(row.reason), words=True)
"""Why an arm failed; only in a table that has a failed arm."""


def of_summary(baseline: str) -> Sequence[Column]:
    """Return the columns of a benchmark's table; the first one names the row."""
    seconds = formatting.duration
    return (
        Column("implementation", "implementation", word("implementation"), words=True, breakable=False),
        Column("track", "track", word("track"), words=True, priority=1),
        Column("time", "time [95 % interval]", _time, sort="seconds"),
        Column("ratio", f"× {baseline} [95 %]", where_ok(_ratio), sort="ratio"),
        Column("verdict", "verdict", where_ok(word("verdict")), words=True),
        Column("fastest", "fastest in its track", where_ok(word("fastest")), words=True, priority=7),
        Column("peak", "% of peak", where_ok(number("peak_share", formatting.share)), False, 5, "peak_share"),
        Column("cores", "cores", where_ok(number("cores_used", _cores)), False, 8, "cores_used"),
        Column("first_call", "first call", number("first_call_seconds", seconds), False, 4, "first_call_seconds"),
        Column("pipelined", "pipelined", number("pipelined_seconds", seconds), False, 6, "pipelined_seconds"),
        Column("gpu", "GPU busy", _gpu_busy, False, 5, "gpu_seconds"),
        Column("memory", "memory", number("peak_bytes", formatting.size), False, 3, "peak_bytes"),
        Column("error", "error", number("error", formatting.error), False, 2, "error"),
        Column("kernel", "kernel", where_ok(word("kernel")), words=True, priority=0),
    )


NOT_ALWAYS = {"kernel": "kernel", "pipelined": "pipelined_seconds", "gpu": "gpu_seconds"}
"""Columns that are left out where nothing is known, with what they show: an older run, or one on a CPU."""


@dataclass(frozen=True)
class Section:
    """The table of one benchmark: its columns, and its rows of the summary, grouped by track.

    `benchmark` is its problem, workload, mode and device.
    """

    benchmark: tuple[str, ...]
    columns: Sequence[Column]
    rows: Sequence[Any]

    @property
    def title(self) -> str:
        """Such as `t64-b16-i128-h128 · sequence · forward · cpu`."""
        return " · ".join(self.benchmark)

    @property
    def columns_with_reason(self) -> Sequence[Column]:
        """The columns, and that of the reasons where an arm failed."""
        return self.columns if all(map(is_ok, self.rows)) else (*self.columns, REASON)


def sections(report: Report) -> Iterator[Section]:
    """Yield a Section for each benchmark; its rows are in the order of the tracks, and then the fastest first."""
    summary = report.summary
    unknown = {key for key, name in NOT_ALWAYS.items() if summary[name].isna().all()}
    shown = [column for column in of_summary(report.baseline) if column.key not in unknown]
    ranked = summary.assign(rank=summary["track"].astype(str).map(tracks.rank))
    for benchmark, group in ranked.groupby(BENCHMARK, sort=False, observed=True):
        rows = group.sort_values(["rank", "track", "ratio", "seconds"], kind="stable")
        yield Section(tuple(map(str, benchmark)), shown, list(rows.itertuples(index=False)))


def style(row: Any) -> str:
    """Return the word that decides how a row looks: its verdict, or `failed`."""
    return str(row.verdict) if is_ok(row) else "failed"


def markdown(report: Report) -> str:
    """Return table.md: what the run answers, then every table, under the preamble and above the notes."""
    lines = ["# LSTM benchmarks", tables.items(preamble(report.run))]
    for answer in report.answers:
        lines += [f"## {markdown_cell(answer.title)}", markdown_cell(answer.sentence)]
        lines.append(tables.markdown(answer.columns, answer.rows))
    for section in sections(report):
        lines += [f"## {markdown_cell(section.title)}", tables.markdown(section.columns_with_reason, section.rows)]
    return "\n\n".join([*lines, tables.items(notes(report.run))]) + "\n"


FORMULA = ("=", "+", "-", "@")
"""The signs with which a formula starts."""


def csv_cell(value: object) -> object:
    """Return a value for a cell of CSV: text is on one line, and no program of tables takes it for a formula."""
    if not isinstance(value, str):
        return value
    shown = one_line(value)
    return f"'{shown}" if shown.startswith(FORMULA) else shown


def csv(summary: pd.DataFrame) -> str:
    """Return summary.csv."""
    return summary.astype(object).map(csv_cell).to_csv(index=False, lineterminator="\n")


SIGNS = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "×": r"$\times$",
        "µ": r"\textmu{}",
        "–": "--",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "[": "{[}",  # at the start of a row LaTeX would take it for an argument of the row before
        "]": "{]}",
    }
)
"""The signs that LaTeX would take for markup, or that its standard fonts do not have."""


def _tex(text: str) -> str:
    """Return text for LaTeX, on one line."""
    return one_line(text).translate(SIGNS)


def _table_latex(section: Section) -> str:
    """Return one benchmark's table for booktabs, with its caption above it."""
    columns = section.columns_with_reason
    cells = [[_tex(column.cell(row)) for column in columns] for row in section.rows]
    texts = pd.DataFrame(cells, columns=[_tex(column.name) for column in columns])
    alignment = "".join("l" if column.words else "r" for column in columns)
    return texts.to_latex(index=False, escape=False, column_format=alignment, caption=_tex(section.title))


def latex(report: Report) -> str:
    """Return table.tex: every table, to be \\input; the preamble is in comments."""
    lines = [f"% {one_line(line)}" for line in preamble(report.run)]
    return "\n".join(["% needs \\usepackage{booktabs,textcomp}", *lines, "", *map(_table_latex, sections(report))])


STYLES = {"faster": "green", "slower": "red", "failed": "yellow", "baseline": "bold"}


def _table_terminal(section: Section, shown: Sequence[Column]) -> Table:
    """Return a section's table with these columns; a blank row separates the tracks."""
    of_tracks = [list(rows) for _, rows in groupby(section.rows, lambda row: row.track)]
    rows = [row for k, mine in enumerate(of_tracks) for row in ([None, *mine] if k else mine)]
    return tables.terminal(shown, rows, section.title, lambda row: STYLES.get(style(row), ""))


def columns_that_fit(every: Sequence[Section], console: CleanConsole) -> Sequence[Column]:
    """Return the columns with which no table has to break a cell; those of priority ALWAYS stay in any case."""
    columns = every[0].columns if every else ()
    for least in [0, *sorted({column.priority + 1 for column in columns if column.priority < ALWAYS})]:
        shown = [column for column in columns if column.priority >= least]
        if all_fit((_table_terminal(section, shown) for section in every), console):
            break
    return shown


def failures(hidden: Sequence[Section]) -> list[str]:
    """Return the failures in tables that are not shown: a line for each implementation and reason."""
    failed = [row for section in hidden for row in section.rows if not is_ok(row)]
    numbers = Counter((str(row.implementation), str(row.status), str(row.reason)) for row in failed)
    return [f"{name}, in {number} of them: {status}: {reason}" for (name, status, reason), number in numbers.items()]


def show(report: Report, console: CleanConsole, everything: bool = True) -> None:
    """Print tables, with the preamble above and the notes below; reasons of failures stand below their table.

    Without `everything` it is those tables that the headline is about, and the reasons of all failures.
    """

    def say(line: str, style: str = "dim") -> None:
        console.print(line, style=style, markup=False, highlight=False)

    for line in preamble(report.run):
        say(line)
    every = list(sections(report))
    about = subject(report.summary)
    chosen = [str(about[name].iloc[0]) for name in ("workload", "mode", "device")] if len(about) else []
    hidden = [] if everything or not chosen else [each for each in every if list(each.benchmark[1:]) != chosen]
    tables_shown = [each for each in every if each not in hidden]
    shown = columns_that_fit(tables_shown, console)
    for section in tables_shown:
        console.print()
        console.print(_table_terminal(section, shown))
        for row in section.rows:
            if not is_ok(row):
                say(f" {row.implementation}: {row.reason}", STYLES["failed"])
    console.print()
    if hidden:
        say(f"{count(len(hidden), 'more table')}: python -m reports report DIR --show all, table.md or index.html.")
        for line in failures(hidden):
            say(f" {line}", STYLES["failed"])
    left_out = [column for column in every[0].columns if column not in shown]
    if left_out:
        names = ", ".join(column.name for column in sorted(left_out, key=lambda column: column.priority))
        say(f"Columns left out, to fit the width: {names}. table.md has all of them.")
    short = [f"unclear: we can't tell it from {report.baseline}. table.md explains the other words."]
    # short, so that the answer and a table fit on a screen
    for line in notes(report.run) if everything or not chosen else short:
        say(line)
