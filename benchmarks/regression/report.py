"""The result of a gate: on the terminal, as Markdown for a pull request, as JUnit XML."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.columns import Column
from benchmarks.regression.decision import FAMILY, Finding
from benchmarks.regression.outcome import REGRESSIONS, UNMEASURED, Result, Standing
from benchmarks.regression.slowdowns import Growth, Line, Slowdown
from benchmarks.words import markdown_cell, markdown_table
from impls.core.text import one_line

STYLES = {"slower": "bold red", "faster": "green", "unknown": "yellow"}
NOTES = (
    "change: head's time against base's, compared inside blocks of turns. The interval is over n replicates.",
    f"slower: at least half the margin, and significant. All levels add up to {100 * FAMILY:g} %.",
    "same: the whole interval lies within the margin. unknown: neither slower, faster nor same.",
    "finds: the smallest slowdown that this run would have found 9 times of 10.",
    "n: replicates. Benchmarks that vary more get more of them.",
    "also: other metrics that are not the same.",
    "start: the first call of a fresh process with a warm compile cache. Its margin is 25 %, and at least 50 ms.",
    "memory: the peak RSS. Its margin is 10 %, and at least 8 MiB.",
)


def seconds(value: float) -> str:
    """Return such as `4.62 ms`."""
    size, sign = next((unit for unit in ((1.0, "s"), (1e-3, "ms")) if value >= unit[0]), (1e-6, "µs"))
    return f"{value / size:.3g} {sign}"


def change(finding: Finding) -> str:
    """Return such as `+5.1 % [+4.6, +5.5]`."""
    return change_of(finding.ratio, *finding.interval)


def change_of(ratio: float, *interval: float | None) -> str:
    """Return such as `+5.1 % [+4.6, +5.5]`, with a question mark for an end that is not known."""
    low, high = (f"{100 * (end - 1):+.1f}" if end is not None and 0 < end < 100 else "?" for end in interval)
    return f"{100 * (ratio - 1):+.1f} % [{low}, {high}]"


@dataclass(frozen=True)
class Row:
    """An implementation at a benchmark: its finding for each metric."""

    implementation: str
    findings: dict[str, Finding]

    @property
    def time(self) -> Finding:
        """The finding of time."""
        return self.findings["time"]

    @property
    def verdict(self) -> str:
        """The verdict that colours the row: slower where any metric is slower, otherwise that of time."""
        return "slower" if any(finding.verdict == "slower" for finding in self.findings.values()) else self.time.verdict


def _finds(row: Row) -> str:
    return f"{100 * row.time.smallest:+.1f} %" if math.isfinite(row.time.smallest) else "–"


def _also(row: Row) -> str:
    """Return the findings of the other metrics that are not `same`."""
    others = [finding for finding in row.findings.values() if finding.metric != "time" and finding.verdict != "same"]
    return "; ".join(f"{finding.metric} {finding.verdict} {change(finding)}" for finding in others)


ALSO = Column("also", "also", _also, words=True)
COLUMNS = (
    Column("implementation", "implementation", lambda row: row.implementation, words=True),
    Column("base", "base", lambda row: seconds(row.time.base)),
    Column("change", "change [95 %]", lambda row: change(row.time)),
    Column("verdict", "verdict", lambda row: row.time.verdict, words=True),
    Column("finds", "finds", _finds),
    ALSO,
    Column("n", "n", lambda row: str(row.time.spread.n)),
)


def sections(result: Result) -> dict[str, list[Row]]:
    """Return the rows of each benchmark (problem, workload and mode)."""
    by_key: dict[str, dict[str, Finding]] = {}
    for finding in result.findings:
        by_key.setdefault(finding.benchmark, {})[finding.metric] = finding
    rows: dict[str, list[Row]] = {}
    for key, findings in by_key.items():
        name, _, benchmark = key.rpartition(" ")
        rows.setdefault(benchmark, []).append(Row(name, findings))
    return rows


def difference(value: float, words: Callable[[float], str] = seconds) -> str:
    """Return such as `+240 µs`, or `−3 µs`."""
    if not math.isfinite(value):
        return "?"
    return ("−" if value < 0 else "+") + words(abs(value))


def mebibytes(value: float) -> str:
    """Return such as `12.3 MiB`."""
    return f"{value / 2**20:.3g} MiB"


def located_lines(result: Result, key: str, metric: str, found: Slowdown | Growth) -> list[str]:
    """Return in sentences where a benchmark is slower, or takes more memory."""
    if isinstance(found, Growth):
        return _growth_lines(found)
    name, _, benchmark = key.rpartition(" ")
    group, _, mode = benchmark.rpartition("/")
    most = f"; most of it is {found.kind}" if found.kind else ""
    what = "the first call" if metric == "start" else "a call"
    lines = [
        f"{what} takes {difference(found.seconds)}, and {difference(found.cpu_seconds[0])} of processor time{most}"
    ]
    by_key = {(finding.benchmark, finding.metric): finding for finding in result.findings}
    other = by_key.get((key, "time" if metric == "start" else "start"))
    if other is not None:
        lines.append(f"{'all calls' if metric == 'start' else 'the first call'}: {other.verdict} {change(other)}")
    modes = [
        f"{one.rpartition('/')[2]} {finding.verdict} {change(finding)}"
        for (one, measured), finding in by_key.items()
        if measured == metric and one.startswith(f"{name} {group}/") and one != key
    ]
    if modes:
        lines.append(f"other modes than {mode}: {'; '.join(modes)}")
    for profiled, differing in found.profiles.items():
        grown = [line for line in differing if line.difference > 0 and line.clear]
        if grown:
            first = max(grown, key=lambda line: line.difference)
            lines.append(f"of all {profiled}, {one_line(first.name, 60)} grew most: {difference(first.difference)}")
    if found.failure:
        lines.append(f"no profile: {found.failure}")
    return lines


def _growth_lines(growth: Growth) -> list[str]:
    if not growth.steps:
        return [one_line(f"it is not known where the memory goes: {growth.failure or 'the device does not tell'}", 200)]
    grown = [line for line in growth.steps if line.difference > 0 and line.clear]
    if not grown:
        return ["no step raises the peak clearly higher than before"]
    first = max(grown, key=lambda line: line.difference)
    return [f"of all steps, {first.name} raises the peak by {mebibytes(first.difference)} more than before"]


def located_markdown(result: Result) -> str:
    """Return a fold with where each benchmark is slower, and both sides' profiles beside each other."""
    parts = ["<details><summary>Where it is worse</summary>"]
    for (key, metric), found in result.located.items():
        parts.append(f"#### {markdown_cell(key)}: {metric}")
        parts.append("\n".join(f"- {markdown_cell(line)}" for line in located_lines(result, key, metric, found)))
        if isinstance(found, Growth):
            parts += _profile("how much a step raises the peak", found.steps, mebibytes)
        else:
            for profiled, differing in found.profiles.items():
                parts += _profile(f"{profiled}: own time", differing, seconds)
    parts.append("A profiler slows down what it watches. These times only say what differs.")
    parts.append("*clear*: all profiles of head are above all of base, or all below.")
    return "\n\n".join([*parts, "</details>"])


def _profile(what: str, lines: Sequence[Line], words: Callable[[float], str]) -> list[str]:
    """Return the table of a profile; nothing where it has no lines."""
    cells = [
        [
            markdown_cell(one_line(line.name, 80)),
            *map(words, (line.base, line.head)),
            difference(line.difference, words),
            "yes" if line.clear else "no",
        ]
        for line in lines
    ]
    return [markdown_table(cells, [what, "base", "head", "difference", "clear"])] if cells else []


def _told(result: Result) -> list[Standing]:
    """Return the standings that a report lists: where all are alike, its first line says so."""
    return [standing for standing in result.standings if standing.kind != "alike"]


def show(result: Result, title: str, line: str, console: Console) -> None:
    """Print the table and the verdict."""
    console.print(title, style="bold", markup=False, highlight=False, soft_wrap=True)
    for benchmark, rows in sections(result).items():
        table = Table(title=benchmark, title_justify="left", title_style="bold", box=None, header_style="dim")
        # an empty column would narrow the others
        columns = [column for column in COLUMNS if column is not ALSO or any(map(_also, rows))]
        for column in columns:
            justify: Literal["left", "right"] = "left" if column.words else "right"
            table.add_column(column.name, justify=justify, no_wrap=column is not ALSO)
        for row in rows:
            table.add_row(*(escape(column.cell(row)) for column in columns), style=STYLES.get(row.verdict, ""))
        console.print()
        console.print(table)
    console.print()
    for standing in _told(result):
        style = "bold red" if standing.kind in REGRESSIONS else "yellow" if standing.kind in UNMEASURED else "dim"
        said = f"{standing.kind}: {standing.benchmark}: {standing.reason}"
        console.print(said, style=style, markup=False, highlight=False, soft_wrap=True)
    for (key, metric), found in result.located.items():
        said = "; ".join(located_lines(result, key, metric, found))
        console.print(f"where: {key}, {metric}: {said}", markup=False, highlight=False, soft_wrap=True)
    console.print()
    for note in NOTES if result.findings else ():
        console.print(note, style="dim", markup=False, highlight=False, soft_wrap=True)
    console.print()
    style = "bold red" if result.regressions else "bold yellow" if result.unmeasured else "bold green"
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def markdown(result: Result, title: str, line: str, provenance: Sequence[str]) -> str:
    """Return the same for a pull request, the verdict first."""
    parts = [f"## {markdown_cell(line)}", markdown_cell(title)]
    for benchmark, rows in sections(result).items():
        cells = [[markdown_cell(column.cell(row)) for column in COLUMNS] for row in rows]
        parts.append(f"### {markdown_cell(benchmark)}")
        header = [column.name for column in COLUMNS]
        parts.append(markdown_table(cells, header))
    said = [
        f"- **{standing.kind}** {markdown_cell(standing.benchmark)}: {markdown_cell(standing.reason)}"
        for standing in _told(result)
    ]
    parts += ["\n".join(said)] if said else []
    parts += [located_markdown(result)] if result.located else []
    notes = (*NOTES, *provenance) if result.findings else provenance
    parts.append("\n".join(f"- {markdown_cell(note)}" for note in notes))
    return "\n\n".join(parts) + "\n"


def junit(result: Result, title: str) -> str:
    """Return a test case per benchmark and metric: a regression is a failure, a benchmark not measured is an error."""
    import junitparser  # here, so that a machine without it can still measure

    suite = junitparser.TestSuite(one_line(title))
    for finding in result.findings:
        case = junitparser.TestCase(one_line(f"{finding.benchmark} {finding.metric}"), classname="regression")
        said = f"{finding.verdict} {change(finding)}"
        if finding.verdict == "slower":
            case.result = [junitparser.Failure(said, "slower")]
        elif finding.verdict == "unknown":
            case.result = [junitparser.Skipped(said, "unknown")]
        suite.add_testcase(case)
    for standing in result.standings:
        case = junitparser.TestCase(one_line(f"{standing.benchmark} agreement"), classname="regression")
        reason = one_line(standing.reason)  # XML has no place for control characters
        if standing.kind in REGRESSIONS:
            case.result = [junitparser.Failure(reason, standing.kind)]
        elif standing.kind in UNMEASURED:
            case.result = [junitparser.Error(reason, standing.kind)]
        else:
            case.result = [junitparser.Skipped(reason, standing.kind)]
        suite.add_testcase(case)
    xml = junitparser.JUnitXml()
    xml.add_testsuite(suite)
    return str(xml.tostring().decode())  # type: ignore[no-untyped-call]
