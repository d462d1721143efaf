"""A run's tables, one for each benchmark: as Markdown, LaTeX and CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmarks import processors, tables
from benchmarks.tables import Column
from benchmarks.words import (
    duration,
    error,
    interval,
    markdown_cell,
    share,
    size,
    time_with_interval,
)
from impls.core.text import one_line
from reports import tracks
from reports.frames import BENCHMARK
from reports.preamble import preamble
from reports.report import Report
from reports.verdict import ALPHA, BASELINE


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


def ratio(name: str = "ratio") -> Callable[[Any], str]:
    """Return a cell that shows a ratio with its interval."""
    ends = (name, f"{name}_low", f"{name}_high")
    return lambda row: (
        "–"
        if pd.isna(getattr(row, name))
        else interval(*(float(getattr(row, end)) for end in ends))
    )


def _time(row: Any) -> str:
    """Return the time with its interval; for a failed arm its status."""
    if not is_ok(row):
        return str(row.status)
    return time_with_interval(row.seconds, row.seconds_low, row.seconds_high)


def _ratio(row: Any) -> str:
    return "1" if row.verdict == BASELINE else ratio()(row)


def number(name: str, words: Callable[[float], str]) -> Callable[[Any], str]:
    """Return a cell that shows a number in some words."""
    return lambda row: words(getattr(row, name))


def _cores(used: float) -> str:
    return "–" if pd.isna(used) else f"{used:.2f}"


def _gpu_busy(row: Any) -> str:
    kernels = "" if pd.isna(row.gpu_seconds) else f" ({row.gpu_kernels:.0f})"
    return duration(row.gpu_seconds) + kernels


REASON = Column(
    "reason", "reason", lambda row: str(row.reason), words=True, note="why a row has no time."
)
"""Why an arm failed; only in a table that has a failed arm."""


def of_summary(baseline: str) -> Sequence[Column]:
    """Return the columns of a benchmark's table; the first one names the row."""
    return (
        Column("implementation", "implementation", word("implementation"), words=True, breakable=False),
        Column("track", "track", word("track"), words=True, priority=1),
        Column(
            "time", "time [95 % interval]", _time, sort="seconds",
            note="of a call: the median over turns, then the geometric mean over replicates. A row without a time has"
            " its status here.",
        ),
        Column(
            "ratio", f"× {baseline} [95 %]", where_ok(_ratio), sort="ratio",
            note="time divided by the baseline's within each block: the median over blocks, then the geometric mean"
            " over replicates. It can contradict the times: trust the ratio. The interval is that of one comparison"
            " alone: even one that excludes 1 can be unclear.",
        ),
        Column(
            "verdict", "verdict", where_ok(word("verdict")), words=True,
            note=f"faster or slower than {baseline} only if it survives Holm's correction for all comparisons of the"
            f" run, at {100 * ALPHA:g} %. Otherwise: unclear. More --replicates or --rounds on a quiet machine can make"
            " it clear. With one replicate all is unclear.",
        ),
        Column(
            "fastest", "fastest in its track", where_ok(word("fastest")), words=True, priority=7,
            note="yes if all others of the track are slower. unclear if it may be the fastest.",
        ),
        Column(
            "peak", "% of peak", where_ok(number("peak_share", share)), False, 5, "peak_share",
            note="the operations per second of the products that every LSTM of that problem needs, as a share of the"
            " peak that stands above the tables. No LSTM does more than multiply-adds in registers.",
        ),
        Column(
            "cores", "cores", where_ok(number("cores_used", _cores)), False, 8, "cores_used",
            note="CPU seconds per second.",
        ),
        Column(
            "first_call", "first call", number("first_call_seconds", duration), False, 4, "first_call_seconds",
            note="cold, with an empty compile cache.",
        ),
        Column(
            "pipelined", "pipelined", number("pipelined_seconds", duration), False, 6, "pipelined_seconds",
            note="the time of a call where many are submitted to the GPU and waited for once. No verdict uses it.",
        ),
        Column(
            "gpu", "GPU busy", _gpu_busy, False, 5, "gpu_seconds",
            note="how long the GPU works for a call, as CUPTI says, and in brackets how many kernels it runs, those"
            " inside a CUDA graph too. Tracing slows it down a little.",
        ),
        Column(
            "memory", "memory", number("peak_bytes", size), False, 3, "peak_bytes",
            note="peak resident memory, above what the process held before the benchmark was opened; on a GPU, the peak"
            " of the framework's allocator.",
        ),
        Column(
            "error", "error", number("error", error), False, 2, "error",
            note="the largest difference from a float64 reference, of any output or gradient, relative to the tensor's"
            " largest value.",
        ),
        Column(
            "kernel", "kernel", where_ok(word("kernel")), words=True, priority=0,
            note="the operator that takes the most time of a call, and how often it runs in a call.",
        ),
    )  # fmt: skip


def columns(report: Report) -> list[Column]:
    """Return the columns of a run's tables: those of which something is known, and the time, where statuses stand."""
    known = report.summary.notna().any()
    return [
        each
        for each in of_summary(report.baseline)
        if each.key == "time" or known[each.sort or each.key]
    ]


def notes(report: Report) -> list[str]:
    """Return what the columns mean, a line for each, and which variables can have slowed a library."""
    return [*tables.notes(columns(report)), *processors.slowed(report.run.metadata.variables)]


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
    shown = columns(report)
    ranked = report.summary.assign(rank=report.summary["track"].astype(str).map(tracks.rank))
    for benchmark, group in ranked.groupby(BENCHMARK, sort=False):
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
        lines += [
            f"## {markdown_cell(section.title)}",
            tables.markdown(section.columns_with_reason, section.rows),
        ]
    return "\n\n".join([*lines, tables.items(notes(report))]) + "\n"


def csv_cell(value: object) -> object:
    """Return a value for a cell of CSV: text is on one line, and no program of tables takes it for a formula."""
    if not isinstance(value, str):
        return value
    shown = one_line(value)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


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
    return texts.to_latex(
        index=False, escape=False, column_format=alignment, caption=_tex(section.title)
    )


def latex(report: Report) -> str:
    """Return table.tex: every table, to be \\input; the preamble is in comments."""
    lines = [f"% {one_line(line)}" for line in preamble(report.run)]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs,textcomp}",
            *lines,
            "",
            *map(_table_latex, sections(report)),
        ]
    )
