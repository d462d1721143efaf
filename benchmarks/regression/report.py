"""The result of a gate: on the terminal, as Markdown for a pull request, as JUnit XML."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from xml.etree import ElementTree

from rich.table import Table

from benchmarks import busy, tables
from benchmarks.regression.decision import FAMILY, UNCLEAR, Finding, GateKey
from benchmarks.regression.outcome import REGRESSIONS, UNMEASURED, Result, change
from benchmarks.regression.slowdowns import Line, Slowdown
from benchmarks.tables import CleanConsole, Column
from benchmarks.words import duration, markdown_cell, signed
from impls.core.text import one_line

STYLES = {"slower": "bold red", "faster": "green", UNCLEAR: "yellow"}
PASSED = ("same", "faster")
FAILED = ("slower", *REGRESSIONS)
COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}
"""The attribute of a JUnit suite that counts its cases of a kind."""

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
    others = [
        finding
        for finding in row.values()
        if finding.metric != "time" and finding.verdict != "same"
    ]
    return "; ".join(f"{finding.metric} {finding.verdict} {change(finding)}" for finding in others)


COLUMNS = (
    Column("name", "implementation", lambda row: row["time"].benchmark.implementation, words=True, breakable=False),
    Column("base", "base", lambda row: duration(row["time"].base), priority=2, breakable=False),
    Column(
        "change", "change [95 %]", lambda row: change(row["time"]), breakable=False,
        note="head's time against base's, compared inside blocks of turns. The interval is over n replicates.",
    ),
    Column(
        "verdict", "verdict", lambda row: row["time"].verdict, words=True, breakable=False,
        note="slower if at least half the margin, and significant: all levels add up to"
        f" {100 * FAMILY:g} %. faster: the same in the other direction. same if the whole interval lies within the"
        " margin. Otherwise: unclear.",
    ),
    Column(
        "finds", "finds", _finds, priority=1, breakable=False,
        note="the smallest slowdown that this run would have found 9 times of 10.",
    ),
    Column(
        "also", "also", _also, words=True,
        note="other metrics that are not the same. start: the first call of a fresh process with a warm compile cache;"
        " its margin is 25 %, and at least 50 ms. memory: the peak RSS; its margin is 10 %, and at least 8 MiB.",
    ),
    Column(
        "n", "n", lambda row: str(row["time"].replicates), priority=0, breakable=False,
        note="replicates. Benchmarks that vary more get more of them.",
    ),
)  # fmt: skip
PROFILE_COLUMNS = (
    Column("base_runs", "runs in base", lambda line: f"{line.base.times:g}"),
    Column("head_runs", "runs in head", lambda line: f"{line.head.times:g}"),
    Column("base", "base", lambda line: duration(line.base.seconds)),
    Column("head", "head", lambda line: duration(line.head.seconds)),
    Column("difference", "difference", lambda line: signed(line.difference)),
)


def columns(found: Mapping[str, Sequence[Row]]) -> list[Column]:
    """Return the columns of some tables, without that of other metrics where nothing is to be said of these."""
    also = any(map(_also, itertools.chain(*found.values())))
    return [column for column in COLUMNS if also or column.key != "also"]


def sections(result: Result) -> dict[str, list[Row]]:
    """Return the rows of each benchmark (problem, workload and mode)."""
    rows: dict[str, dict[str, Row]] = {}
    for finding in result.findings:
        key = finding.benchmark
        rows.setdefault(key.benchmark, {}).setdefault(key.implementation, {})[finding.metric] = (
            finding
        )
    return {benchmark: [*by_name.values()] for benchmark, by_name in rows.items()}


def located_lines(slowdown: Slowdown) -> list[str]:
    """Return in sentences where a benchmark is slower."""
    lines = [f"a call takes {signed(slowdown.added)}"]
    for kind, differing in slowdown.profiles.items():
        lines += _explained(kind, [line for line in differing if line.difference > 0])
    return lines + ([f"no profile: {slowdown.failure}"] if slowdown.failure else [])


def _explained(kind: str, grown: Sequence[Line]) -> Iterator[str]:
    """Yield what explains a slowdown: first of what runs more often, then of all, where that is another."""
    if not grown:
        yield f"none of the {kind} explains a tenth of that"
        return
    more = next((line for line in grown if line.more), None)
    if more:
        runs = f"runs in a call: {more.head.times:g}, in base {more.base.times:g}"
        yield f"of all {kind} that run more often, {_grew_most(more)} ({runs})"
    if grown[0] is not more:
        yield f"of all {kind}, {_grew_most(grown[0])}"


def _grew_most(line: Line) -> str:
    return f"{one_line(line.name, 120)} grew most: {signed(line.difference)}"


def located_markdown(located: Mapping[GateKey, Slowdown]) -> str:
    """Return a fold with where each benchmark is slower, and both sides' profiles beside each other."""
    parts = ["<details><summary>Where it is slower</summary>"]
    for key, slowdown in located.items():
        parts += [f"#### {markdown_cell(key)}", tables.items(located_lines(slowdown))]
        for kind, differing in slowdown.profiles.items():
            if differing:
                name = Column(
                    "name", f"{kind}: own time", lambda line: one_line(line.name, 120), words=True
                )
                parts.append(tables.markdown([name, *PROFILE_COLUMNS], differing))
    parts.append(
        "What differs by at least a tenth of the slowdown, and runs more or less often, or differs in all profiles."
        " A profiler slows down what it watches."
    )
    return "\n\n".join([*parts, "</details>"])


def show(result: Result, title: str, line: str, console: CleanConsole) -> None:
    """Print the table and the verdict."""
    say = _saying(console)
    say(title, style="bold")
    found = sections(result)
    every = columns(found)

    def made(some: Sequence[Column]) -> list[Table]:
        return [tables.terminal(some, rows, benchmark, _style) for benchmark, rows in found.items()]

    for table in made(tables.fitting(every, made, console)):
        console.print()
        console.print(table)
    console.print()
    for standing in result.standings:
        style = (
            "bold red"
            if standing.kind in REGRESSIONS
            else "yellow"
            if standing.kind in UNMEASURED
            else "dim"
        )
        say(f"{standing.kind}: {standing.benchmark}: {standing.reason}", style=style)
    for left_out in result.left_out:
        say(f"left out: {left_out}", style="yellow")
    if result.standings or result.left_out:
        console.print()
    for note in tables.notes(every) if found else ():
        say(note, style="dim")
    if warning := busy.warning(busy.waited_of(result.records)):
        console.print()
        say(warning, style="bold yellow")
    _show_verdict(result, line, console)


def show_located(result: Result, line: str, console: CleanConsole) -> None:
    """Print where it is slower, and the verdict again as the last line."""
    console.print()
    for key, slowdown in result.located.items():
        _saying(console)(f"where: {key}: {'; '.join(located_lines(slowdown))}")
    _show_verdict(result, line, console)


def _show_verdict(result: Result, line: str, console: CleanConsole) -> None:
    console.print()
    style = "bold red" if result.worse else "bold yellow" if result.unmeasured else "bold green"
    _saying(console)(line, style=style)


def _saying(console: CleanConsole) -> Callable[..., None]:
    return partial(console.print, markup=False, highlight=False, soft_wrap=True)


def markdown(result: Result, title: str, line: str, provenance: Sequence[str]) -> str:
    """Return the same for a pull request, the verdict first."""
    parts = [f"## {markdown_cell(line)}", markdown_cell(title)]
    parts += filter(None, [busy.warning(busy.waited_of(result.records))])
    found = sections(result)
    every = columns(found)
    for benchmark, rows in found.items():
        parts += [f"### {markdown_cell(benchmark)}", tables.markdown(every, rows)]
    lines = [
        (each.kind, markdown_cell(each.benchmark), markdown_cell(each.reason))
        for each in result.standings
    ]
    parts += [
        "\n".join(f"- **{kind}** {benchmark}: {reason}" for kind, benchmark, reason in lines)
    ] * bool(lines)
    if result.left_out:
        parts.append(tables.items(f"left out: {each}" for each in result.left_out))
    parts += [located_markdown(result.located)] if result.located else []
    parts.append(tables.items([*(tables.notes(every) if found else ()), *provenance]))
    return "\n\n".join(parts) + "\n"


def junit(result: Result, title: str) -> str:
    """Return a test case per benchmark and metric: a regression is a failure, a benchmark not measured is an error."""
    found = [
        (f"{each.benchmark} {each.metric}", each.verdict, f"{each.verdict} {change(each)}")
        for each in result.findings
    ]
    found += [(f"{each.benchmark} agreement", each.kind, each.reason) for each in result.standings]
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(suites, "testsuite", name=one_line(title), tests=str(len(found)))
    number = Counter({"failures": 0, "errors": 0, "skipped": 0})
    for name, word, said in found:
        case = ElementTree.SubElement(
            suite, "testcase", name=one_line(name), classname="regression"
        )
        if word in PASSED:
            continue
        kind = "failure" if word in FAILED else "error" if word in UNMEASURED else "skipped"
        ElementTree.SubElement(case, kind, message=one_line(said), type=word)
        number[COUNTED[kind]] += 1
    suite.attrib |= {counted: str(count) for counted, count in number.items()}
    return ElementTree.tostring(suites, encoding="unicode")
