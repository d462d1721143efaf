"""The result of a gate: on the terminal, as Markdown for a pull request, as JUnit XML."""

import itertools
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from rich.table import Table

from benchmarks import tables
from benchmarks.regression.decision import FAMILY, UNCLEAR, GateKey
from benchmarks.regression.findings import Finding
from benchmarks.regression.outcome import REGRESSIONS, UNMEASURED, Result, change
from benchmarks.regression.slowdowns import Line, Slowdown
from benchmarks.tables import CleanConsole, Column
from benchmarks.words import duration, markdown_cell, signed
from impls.core.text import one_line

STYLES = {"slower": "bold red", "faster": "green", UNCLEAR: "yellow"}
PASSED = ("same", "faster")
TAGS = (
    {"slower": "failure"}
    | dict.fromkeys(REGRESSIONS, "failure")
    | dict.fromkeys(UNMEASURED, "error")
)
"""JUnit's element for a verdict or a kind. All others are skipped."""
COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}
"""The attribute of a JUnit suite that counts its cases with an element."""
TAG_STYLES = {"failure": "bold red", "error": "yellow", "skipped": "dim"}

Row = dict[str, Finding]
"""An implementation at a benchmark: its finding for each metric."""


def _style(row: Row) -> str:
    """Return the colour of a row: that of slower where any metric is slower, otherwise that of time's verdict."""
    verdicts = [finding.verdict for finding in row.values()]
    return STYLES.get("slower" if "slower" in verdicts else row["time"].verdict, "")


def _smallest(row: Row) -> str:
    smallest = row["time"].smallest
    return "–" if smallest is None else f"{100 * smallest:+.1f} %"


def _others(row: Row) -> str:
    """Return the findings of the other metrics that are not `same`."""
    others = [
        f"{metric} {finding.verdict} {change(finding)}"
        for metric, finding in row.items()
        if metric != "time" and finding.verdict != "same"
    ]
    return "; ".join(others)


COLUMNS = (
    Column(
        "name",
        "implementation",
        lambda row: row["time"].benchmark.implementation,
        words=True,
        breakable=False,
    ),
    Column("base", "base", lambda row: duration(row["time"].base), priority=2, breakable=False),
    Column(
        "change",
        "change [95 %]",
        lambda row: change(row["time"]),
        breakable=False,
        note="head's time against base's, compared inside blocks of turns. The interval is over n replicates.",
    ),
    Column(
        "verdict",
        "verdict",
        lambda row: row["time"].verdict,
        words=True,
        breakable=False,
        note="slower if at least half the margin, and significant: all levels add up to"
        f" {100 * FAMILY:g} %. faster: the same in the other direction. same if the whole interval lies within the"
        " margin. Otherwise: unclear.",
    ),
    Column(
        "finds",
        "finds",
        _smallest,
        priority=1,
        breakable=False,
        note="the smallest slowdown that this run would have found 9 times of 10.",
    ),
    Column(
        "also",
        "also",
        _others,
        words=True,
        note="other metrics that are not the same. start: the first call of a fresh process with a warm compile cache;"
        " its margin is 25 %, and at least 50 ms. memory: the peak RSS; its margin is 10 %, and at least 8 MiB.",
    ),
    Column(
        "n",
        "n",
        lambda row: str(row["time"].replicates),
        priority=0,
        breakable=False,
        note="replicates. Benchmarks that vary more get more of them.",
    ),
)
PROFILE_COLUMNS = (
    Column("base_runs", "runs in base", lambda line: f"{line.base.times:g}"),
    Column("head_runs", "runs in head", lambda line: f"{line.head.times:g}"),
    Column("base", "base", lambda line: duration(line.base.seconds)),
    Column("head", "head", lambda line: duration(line.head.seconds)),
    Column("difference", "difference", lambda line: signed(line.difference)),
)


def sections(result: Result) -> dict[str, list[Row]]:
    """Return the rows of each benchmark (problem, workload and mode)."""
    rows: dict[GateKey, Row] = {}
    for finding in result.findings:
        rows.setdefault(finding.benchmark, {})[finding.metric] = finding
    by_benchmark: dict[str, list[Row]] = {}
    for key, row in rows.items():
        by_benchmark.setdefault(key.benchmark, []).append(row)
    return by_benchmark


def columns(by_benchmark: Mapping[str, Sequence[Row]]) -> list[Column]:
    """Return the columns of the tables, without that of other metrics where it would be empty; none without tables."""
    rows = [*itertools.chain(*by_benchmark.values())]
    others = any(map(_others, rows))
    return [column for column in COLUMNS if rows and (others or column.key != "also")]


def located_lines(slowdown: Slowdown) -> list[str]:
    """Return in sentences where a benchmark is slower."""
    lines = [f"a call takes {signed(slowdown.added)}"]
    for kind, differing in slowdown.profiles.items():
        longer = [line for line in differing if line.difference > 0]
        more_often = [line for line in longer if line.head.times > line.base.times]
        if more_often:
            first = more_often[0]
            runs = f"runs in a call: {first.head.times:g}, in base {first.base.times:g}"
            lines.append(f"of all {kind} that run more often, {_grew_most(first)} ({runs})")
        if not longer:
            lines.append(f"none of the {kind} explains a tenth of that")
        elif longer[:1] != more_often[:1]:
            lines.append(f"of all {kind}, {_grew_most(longer[0])}")
    if slowdown.failure:
        lines.append(f"no profile: {slowdown.failure}")
    return lines


def _short_name(line: Line) -> str:
    return one_line(line.name, 120)


def _grew_most(line: Line) -> str:
    return f"{_short_name(line)} grew most: {signed(line.difference)}"


def located_markdown(located: Mapping[GateKey, Slowdown]) -> str:
    """Return a fold with where each benchmark is slower, and both sides' profiles beside each other."""
    parts = ["<details><summary>Where it is slower</summary>"]
    for key, slowdown in located.items():
        parts += [f"#### {markdown_cell(key)}", tables.items(located_lines(slowdown))]
        for kind, lines in slowdown.profiles.items():
            name = Column("name", f"{kind}: own time", _short_name, words=True)
            if lines:
                parts.append(tables.markdown([name, *PROFILE_COLUMNS], lines))
    parts.append(
        "What differs by at least a tenth of the slowdown, and runs more or less often, or differs in all profiles."
        " A profiler slows down what it watches."
    )
    return "\n\n".join([*parts, "</details>"])


def show(result: Result, title: str, line: str, console: CleanConsole) -> None:
    """Print the table and the verdict."""
    _say(console, title, "bold")
    by_benchmark = sections(result)
    every = columns(by_benchmark)

    def terminal(some: Sequence[Column]) -> list[Table]:
        return [
            tables.terminal(some, rows, benchmark, _style)
            for benchmark, rows in by_benchmark.items()
        ]

    shown = tables.fitting(every, terminal, console) if every else []
    for table in terminal(shown):
        console.print()
        console.print(table)
    console.print()
    for standing in result.standings:
        style = TAG_STYLES[TAGS.get(standing.kind, "skipped")]
        _say(console, f"{standing.kind}: {standing.benchmark}: {standing.reason}", style)
    for left_out in result.left_out:
        _say(console, f"left out: {left_out}", "yellow")
    if result.standings or result.left_out:
        console.print()
    for note in tables.notes(every):
        _say(console, note, "dim")
    _show_verdict(result, line, console)


def show_located(result: Result, line: str, console: CleanConsole) -> None:
    """Print where it is slower, and the verdict again as the last line."""
    console.print()
    for key, slowdown in result.located.items():
        _say(console, f"where: {key}: {'; '.join(located_lines(slowdown))}")
    _show_verdict(result, line, console)


def _show_verdict(result: Result, line: str, console: CleanConsole) -> None:
    style = "bold green"
    if result.worse:
        style = "bold red"
    elif result.unmeasured or result.warning:
        style = "bold yellow"
    console.print()
    _say(console, line, style)


def _say(console: CleanConsole, text: str, style: str = "") -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def markdown(result: Result, title: str, line: str, provenance: Sequence[str]) -> str:
    """Return the same for a pull request, the verdict first."""
    parts = [f"## {markdown_cell(line)}", markdown_cell(title)]
    by_benchmark = sections(result)
    every = columns(by_benchmark)
    for benchmark, rows in by_benchmark.items():
        parts += [f"### {markdown_cell(benchmark)}", tables.markdown(every, rows)]
    standings = [
        f"- **{standing.kind}** {markdown_cell(standing.benchmark)}: {markdown_cell(standing.reason)}"
        for standing in result.standings
    ]
    parts.append("\n".join(standings))
    parts.append(tables.items(f"left out: {left_out}" for left_out in result.left_out))
    if result.located:
        parts.append(located_markdown(result.located))
    parts.append(tables.items([*tables.notes(every), *provenance]))
    return "\n\n".join(filter(None, parts)) + "\n"


def junit(result: Result, title: str) -> str:
    """Return a test case per benchmark and metric: a regression is a failure, a benchmark not measured is an error."""
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(suites, "testsuite", name=one_line(title))

    def add(name: str, word: str, message: str) -> None:
        case = ElementTree.SubElement(
            suite, "testcase", name=one_line(name), classname="regression"
        )
        if word not in PASSED:
            tag = TAGS.get(word, "skipped")
            ElementTree.SubElement(case, tag, message=one_line(message), type=word)

    for finding in result.findings:
        words = f"{finding.verdict} {change(finding)}"
        add(f"{finding.benchmark} {finding.metric}", finding.verdict, words)
    for standing in result.standings:
        add(f"{standing.benchmark} agreement", standing.kind, standing.reason)
    suite.set("tests", str(len(suite)))
    for tag, attribute in COUNTED.items():
        suite.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))
    return ElementTree.tostring(suites, encoding="unicode")
