"""A run's tables, one for each benchmark: as Markdown, LaTeX and CSV."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmarks import processors, tables
from benchmarks.tables import Cell, Column
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
from reports.report import PURPOSES, Report
from reports.state import STATES
from reports.verdict import ALPHA, BASELINE


def is_ok(row: Any) -> bool:
    """Return whether a row of a summary has a time."""
    return bool(row.status == "ok")


def where_ok(cell: Cell) -> Cell:
    """Return a cell that is empty in the row of a failed arm."""
    return lambda row: cell(row) if is_ok(row) else ""


def word(name: str) -> Cell:
    """Return a cell that shows an attribute of a row as it is; nothing known is a dash."""
    return lambda row: "–" if pd.isna(getattr(row, name)) else str(getattr(row, name))


def words_of(name: str, header: str = "", **options: Any) -> Column:
    """Return the column of an attribute that holds words; its header is the name, where nothing else is given."""
    return Column(name, header or name, word(name), words=True, **options)


TRACK = Column("track", "track", lambda row: tracks.word(row.track), words=True)
PURPOSE = Column("mode", "for", lambda row: PURPOSES.get(row.mode, row.mode), words=True)
WHERE = (words_of("problem"), PURPOSE, words_of("device"))


def ratio(name: str = "ratio") -> Cell:
    """Return a cell that shows a ratio with its interval."""
    ends = (name, f"{name}_low", f"{name}_high")
    return lambda row: interval(*(getattr(row, end) for end in ends))


def _time(row: Any) -> str:
    """Return the time with its interval; for a failed arm its status."""
    if not is_ok(row):
        return str(row.status)
    return time_with_interval(row.seconds, row.seconds_low, row.seconds_high)


def by_state(row: Any) -> str:
    """Return the ratio with its interval; where it depends on the processors' state, that of each state."""
    if pd.isna(getattr(row, "ratio_near", None)):
        return ratio()(row)
    return ", ".join(f"{state} {ratio(f'ratio_{state}')(row)}" for state in STATES)


def _ratio(row: Any) -> str:
    if row.verdict == BASELINE:
        return "1"
    return by_state(row)


def _cores(row: Any) -> str:
    if pd.isna(row.cores_used):
        return "–"
    return f"{row.cores_used:.2f}"


def _gpu_busy(row: Any) -> str:
    if pd.isna(row.gpu_seconds):
        return "–"
    return f"{duration(row.gpu_seconds)} ({row.gpu_kernels:.0f})"


REASON = Column(
    "reason", "reason", lambda row: str(row.reason), words=True, note="why a row has no time."
)
"""Why an arm failed; only in a table that has a failed arm."""


def of_summary(baseline: str) -> Sequence[Column]:
    """Return the columns of a benchmark's table; the first one names the row."""
    return (
        words_of("implementation", breakable=False),
        words_of("track", priority=1),
        Column(
            "time", "time [95 % interval]", _time, sort="seconds",
            note="of a call: the median over turns, that over replicates, then that over rounds. A row without a time"
            " has its status here.",
        ),
        Column(
            "ratio", f"× {baseline} [95 %]", where_ok(_ratio), sort="ratio",
            note="time divided by the baseline's within each block: the median over blocks, that over replicates, then"
            " that over rounds. It can contradict the times: trust the ratio. The interval is that of one"
            " comparison alone: even one that excludes 1 can be unclear. near and far: the ratio depends on how far"
            " apart the host keeps the processors.",
        ),
        Column(
            "verdict", "verdict", where_ok(word("verdict")), words=True,
            note=f"faster or slower than {baseline} only if it survives Holm's correction for all comparisons of the"
            f" run, at {100 * ALPHA:g} %, and its interval excludes 1. Otherwise: unclear. More --replicates or"
            " --rounds on a quiet machine can make it clear. With one replicate all is unclear.",
        ),
        Column(
            "fastest", "fastest in its track", where_ok(word("fastest")), words=True, priority=7,
            note="yes if all others of the track are slower. unclear if it may be the fastest.",
        ),
        Column(
            "peak", "% of peak", where_ok(lambda row: share(row.peak_share)), priority=5, sort="peak_share",
            note="the operations per second of the products that every LSTM of that problem needs, as a share of the"
            " peak that stands above the tables. No LSTM does more than multiply-adds in registers.",
        ),
        Column(
            "cores", "cores", where_ok(_cores), priority=8, sort="cores_used",
            note="CPU seconds per second.",
        ),
        Column(
            "first_call", "first call", lambda row: duration(row.first_call_seconds),
            priority=4, sort="first_call_seconds",
            note="cold, with an empty compile cache.",
        ),
        Column(
            "pipelined", "pipelined", lambda row: duration(row.pipelined_seconds),
            priority=6, sort="pipelined_seconds",
            note="the time of a call where many are submitted to the GPU and waited for once. No verdict uses it.",
        ),
        Column(
            "gpu", "GPU busy", _gpu_busy, priority=5, sort="gpu_seconds",
            note="how long the GPU works for a call, as CUPTI says, and in brackets how many kernels it runs, those"
            " inside a CUDA graph too. Tracing slows it down a little.",
        ),
        Column(
            "memory", "memory", lambda row: size(row.peak_bytes), priority=3, sort="peak_bytes",
            note="peak resident memory, above what the process held before the benchmark was opened; on a GPU, the peak"
            " of the framework's allocator.",
        ),
        Column(
            "error", "error", lambda row: error(row.error), priority=2, sort="error",
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
    has_values = report.summary.notna().any()
    return [
        column
        for column in of_summary(report.baseline)
        if column.key == "time" or has_values[column.sort or column.key]
    ]


def notes(report: Report) -> list[str]:
    """Return what the columns mean, a line for each, and which variables can have slowed a library."""
    return [*tables.notes(columns(report)), *processors.slowed(report.run.metadata.variables)]


@dataclass(frozen=True)
class Section:
    """The table of one benchmark: its columns, and its rows of the summary, grouped by track.

    `benchmark` is its problem, workload, mode and device. Where an arm failed, the last column has the reasons.
    """

    benchmark: tuple[str, ...]
    columns: Sequence[Column]
    rows: Sequence[Any]

    @property
    def title(self) -> str:
        """Such as `t64-b16-i128-h128 · sequence · forward · cpu`."""
        return " · ".join(self.benchmark)


def sections(report: Report) -> Iterator[Section]:
    """Yield a Section for each benchmark; its rows are in the order of the tracks, and then the fastest first."""
    shown = columns(report)
    ranked = report.summary.assign(rank=report.summary["track"].map(tracks.rank))
    for benchmark, group in ranked.groupby(BENCHMARK, sort=False):
        rows = group.sort_values(["rank", "track", "ratio", "seconds"], kind="stable")
        reasons = [] if (rows["status"] == "ok").all() else [REASON]
        yield Section(
            tuple(map(str, benchmark)), [*shown, *reasons], list(rows.itertuples(index=False))
        )


def style(row: Any) -> str:
    """Return the word that decides how a row looks: its verdict, or `failed`."""
    return str(row.verdict) if is_ok(row) else "failed"


def markdown(report: Report) -> str:
    """Return table.md: what the run answers, then every table, under the preamble and above the notes."""
    parts = ["# LSTM benchmarks", tables.items(preamble(report.run))]
    for answer in report.answers:
        parts += [
            f"## {markdown_cell(answer.title)}",
            markdown_cell(answer.text),
            tables.markdown(answer.columns, answer.rows),
        ]
    for section in sections(report):
        table = tables.markdown(section.columns, section.rows)
        parts += [f"## {markdown_cell(section.title)}", table]
    parts.append(tables.items(notes(report)))
    return "\n\n".join(parts) + "\n"


def csv_cell(value: object) -> object:
    """Return a value for a cell of CSV: text is on one line, and no program of tables takes it for a formula."""
    if not isinstance(value, str):
        return value
    shown = one_line(value)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


def csv(summary: pd.DataFrame) -> str:
    """Return summary.csv."""
    return summary.map(csv_cell).to_csv(index=False, lineterminator="\n")


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
    texts = pd.DataFrame(
        [[_tex(column.cell(row)) for column in section.columns] for row in section.rows],
        columns=[_tex(column.name) for column in section.columns],
    )
    alignment = "".join("l" if column.words else "r" for column in section.columns)
    return texts.to_latex(
        index=False, escape=False, column_format=alignment, caption=_tex(section.title)
    )


def latex(report: Report) -> str:
    """Return table.tex: every table, to be \\input; the preamble is in comments."""
    lines = ["% needs \\usepackage{booktabs,textcomp}"]
    lines += [f"% {one_line(line)}" for line in preamble(report.run)]
    return "\n".join([*lines, "", *map(_table_latex, sections(report))])
