"""The result of a gate: on the terminal, as Markdown for a pull request, as JUnit XML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import tables
from benchmarks.regression.decision import FAMILY, UNCLEAR, Finding, GateKey
from benchmarks.regression.outcome import REGRESSIONS, UNMEASURED, Result, Standing, change
from benchmarks.regression.slowdowns import Slowdown
from benchmarks.tables import CleanConsole, Column
from benchmarks.words import duration, markdown_cell, signed
from impls.core.text import one_line

STYLES = {"slower": "bold red", "faster": "green", UNCLEAR: "yellow"}
NOTES = (
    "change: head's time against base's, compared inside blocks of turns. The interval is over n replicates.",
    f"slower: at least half the margin, and significant. All levels add up to {100 * FAMILY:g} %.",
    "same: the whole interval lies within the margin. unclear: neither slower, faster nor same.",
    "finds: the smallest slowdown that this run would have found 9 times of 10.",
    "n: replicates. Benchmarks that vary more get more of them.",
    "also: other metrics that are not the same.",
    "start: the first call of a fresh process with a warm compile cache. Its margin is 25 %, and at least 50 ms.",
    "memory: the peak RSS. Its margin is 10 %, and at least 8 MiB.",
)


Row = dict[str, Finding]
"""An implementation at a benchmark: its finding for each metric."""


def _style(row: Row) -> str:
    """Return the colour of a row: that of slower where any metric is slower, otherwise that of time's verdict."""
    slower = any(finding.verdict == "slower" for finding in row.values())
    return STYLES.get("slower" if slower else row["time"].verdict, "")


def _finds(row: Row) -> str:
    return "–" if row["time"].smallest is None else f"{100 * row['time'].smallest:+.1f} %"


def _also(row: Row) -> str:
    """Return the findings of the other metrics that are not `same`."""
    others = [finding for finding in row.values() if finding.metric != "time" and finding.verdict != "same"]
    return "; ".join(f"{finding.metric} {finding.verdict} {change(finding)}" for finding in others)


ALSO = Column("also", "also", _also, words=True)
COLUMNS = (
    Column(
        "implementation",
        "implementation",
        lambda row: row["time"].benchmark.implementation,
        words=True,
        breakable=False,
    ),
    Column("base", "base", lambda row: duration(row["time"].base), breakable=False),
    Column("change", "change [95 %]", lambda row: change(row["time"]), breakable=False),
    Column("verdict", "verdict", lambda row: row["time"].verdict, words=True, breakable=False),
    Column("finds", "finds", _finds, breakable=False),
    ALSO,
    Column("n", "n", lambda row: str(row["time"].replicates), breakable=False),
)
PROFILE_COLUMNS = (
    Column("base", "base", lambda line: duration(line.base)),
    Column("head", "head", lambda line: duration(line.head)),
    Column("difference", "difference", lambda line: signed(line.difference)),
    Column("clear", "clear", lambda line: "yes" if line.clear else "no", words=True),
)


def sections(result: Result) -> dict[str, list[Row]]:
    """Return the rows of each benchmark (problem, workload and mode)."""
    rows: dict[str, dict[str, Row]] = {}
    for finding in result.findings:
        key = finding.benchmark
        rows.setdefault(key.benchmark, {}).setdefault(key.implementation, {})[finding.metric] = finding
    return {benchmark: [*by_name.values()] for benchmark, by_name in rows.items()}


def located_lines(slowdown: Slowdown) -> list[str]:
    """Return in sentences where a benchmark is slower."""
    most = f"; most of it is {slowdown.kind}" if slowdown.kind else ""
    lines = [f"a call takes {signed(slowdown.added)}, and {signed(slowdown.cpu_seconds[0])} of processor time{most}"]
    for kind, differing in slowdown.profiles.items():
        grown = [line for line in differing if line.difference > 0 and line.clear]
        if grown:
            first = max(grown, key=lambda line: line.difference)
            lines.append(f"of all {kind}, {one_line(first.name, 60)} grew most: {signed(first.difference)}")
        else:
            lines.append(f"none of the {kind} grew clearly")
    return lines + ([f"no profile: {slowdown.failure}"] if slowdown.failure else [])


def located_markdown(located: Mapping[GateKey, Slowdown]) -> str:
    """Return a fold with where each benchmark is slower, and both sides' profiles beside each other."""
    parts = ["<details><summary>Where it is slower</summary>"]
    for key, slowdown in located.items():
        parts += [f"#### {markdown_cell(key)}", tables.items(located_lines(slowdown))]
        for kind, differing in slowdown.profiles.items():
            if differing:
                name = Column("name", f"{kind}: own time", lambda line: one_line(line.name, 80), words=True)
                parts.append(tables.markdown([name, *PROFILE_COLUMNS], differing))
    parts.append("A profiler slows down what it watches. These times only say what differs.")
    parts.append("*clear*: all profiles of head are above all of base, or all below.")
    return "\n\n".join([*parts, "</details>"])


def _told(result: Result) -> list[Standing]:
    """Return the standings that a report lists: where all are alike, its first line says so."""
    return [standing for standing in result.standings if standing.kind != "alike"]


def show(result: Result, title: str, line: str, console: CleanConsole) -> None:
    """Print the table and the verdict."""
    console.print(title, style="bold", markup=False, highlight=False, soft_wrap=True)
    for benchmark, rows in sections(result).items():
        # an empty column would narrow the others
        columns = [column for column in COLUMNS if column is not ALSO or any(map(_also, rows))]
        console.print()
        console.print(tables.terminal(columns, rows, benchmark, _style))
    console.print()
    for standing in _told(result):
        style = "bold red" if standing.kind in REGRESSIONS else "yellow" if standing.kind in UNMEASURED else "dim"
        said = f"{standing.kind}: {standing.benchmark}: {standing.reason}"
        console.print(said, style=style, markup=False, highlight=False, soft_wrap=True)
    for key, slowdown in result.located.items():
        said = "; ".join(located_lines(slowdown))
        console.print(f"where: {key}: {said}", markup=False, highlight=False, soft_wrap=True)
    console.print()
    for note in NOTES if result.findings else ():
        console.print(note, style="dim", markup=False, highlight=False, soft_wrap=True)
    console.print()
    style = "bold red" if result.worse else "bold yellow" if result.unmeasured else "bold green"
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def markdown(result: Result, title: str, line: str, provenance: Sequence[str]) -> str:
    """Return the same for a pull request, the verdict first."""
    parts = [f"## {markdown_cell(line)}", markdown_cell(title)]
    for benchmark, rows in sections(result).items():
        parts += [f"### {markdown_cell(benchmark)}", tables.markdown(COLUMNS, rows)]
    said = [
        f"- **{standing.kind}** {markdown_cell(standing.benchmark)}: {markdown_cell(standing.reason)}"
        for standing in _told(result)
    ]
    parts += ["\n".join(said)] if said else []
    parts += [located_markdown(result.located)] if result.located else []
    parts.append(tables.items((*NOTES, *provenance) if result.findings else provenance))
    return "\n\n".join(parts) + "\n"


def junit(result: Result, title: str) -> str:
    """Return a test case per benchmark and metric: a regression is a failure, a benchmark not measured is an error."""
    import junitparser  # here, so that a machine without it can still measure

    cases: list[tuple[str, Any]] = []
    for finding in result.findings:
        said = f"{finding.verdict} {change(finding)}"
        kinds = {"slower": junitparser.Failure, UNCLEAR: junitparser.Skipped}
        kind = kinds.get(finding.verdict)
        cases.append((f"{finding.benchmark} {finding.metric}", kind and kind(said, finding.verdict)))
    for standing in result.standings:
        kind = junitparser.Skipped
        if standing.kind in (*REGRESSIONS, *UNMEASURED):
            kind = junitparser.Failure if standing.kind in REGRESSIONS else junitparser.Error
        reason = one_line(standing.reason)  # XML has no place for control characters
        cases.append((f"{standing.benchmark} agreement", kind(reason, standing.kind)))
    suite = junitparser.TestSuite(one_line(title))
    for name, found in cases:
        case = junitparser.TestCase(one_line(name), classname="regression")
        case.result = [found] if found else []
        suite.add_testcase(case)
    xml = junitparser.JUnitXml()
    xml.add_testsuite(suite)
    return str(xml.tostring().decode())  # type: ignore[no-untyped-call]
