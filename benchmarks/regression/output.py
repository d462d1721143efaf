"""What a gate found: on the terminal, as Markdown for a pull request, as JUnit XML."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import junitparser
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tabulate import tabulate

from benchmarks.regression.decide import Finding
from benchmarks.regression.judge import REGRESSIONS, UNMEASURED, Result

HEADER = ("benchmark", "base", "head", "change [95 %]", "verdict", "would find", "start", "memory", "replicates")
STYLES = {"slower": "bold red", "faster": "green", "unknown": "yellow"}
NOTES = (
    "change: head's time to base's, taken inside blocks of turns, then over replicates, with a t interval.",
    "slower: sure after Holm (0.3 % for the whole gate) and at least the margin.",
    "same: the interval lies within the margin. unknown: neither.",
    "would find: the smallest slowdown that this run would have found 9 times of 10.",
    "start: the first call of a fresh process, compile cache warm; its limit is +25 % and 50 ms.",
    "memory: peak resident above the bare framework; its limit is +10 % and 8 MiB.",
)


def seconds(value: float) -> str:
    """Such as `4.62 ms`."""
    size, sign = next((unit for unit in ((1.0, "s"), (1e-3, "ms")) if value >= unit[0]), (1e-6, "µs"))
    return f"{value / size:.3g} {sign}"


def change(found: Finding) -> str:
    """Such as `+5.1 % [+4.6, +5.5]`."""
    low, high = (f"{100 * (limit - 1):+.1f}" if 0 < limit < 100 else "?" for limit in (found.low, found.high))
    return f"{100 * (found.ratio - 1):+.1f} % [{low}, {high}]"


def _brief(found: Finding | None) -> str:
    if found is None:
        return "–"
    return found.verdict if found.verdict == "same" else f"{found.verdict} {change(found)}"


def rows(result: Result) -> list[tuple[list[str], str]]:
    """Cells in the order of HEADER, and the verdict that colours them: one row per benchmark."""
    by: dict[str, dict[str, Finding]] = {}
    for finding in result.findings:
        by.setdefault(finding.benchmark, {})[finding.metric] = finding
    found = []
    for key, metrics in by.items():
        time = metrics["time"]
        would = f"{100 * time.smallest:+.1f} %" if math.isfinite(time.smallest) else "–"
        cells = [
            key, seconds(time.base), seconds(time.head), change(time), time.verdict, would,
            _brief(metrics.get("start")), _brief(metrics.get("memory")),
            f"{time.replicates}{' fresh' if time.confirmed else ''}",
        ]  # fmt: skip
        worst = next((one.verdict for one in metrics.values() if one.verdict == "slower"), time.verdict)
        found.append((cells, worst))
    return found


def show(result: Result, title: str, line: str, console: Console) -> None:
    """The table and the verdict, for a person."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="dim")
    for k, name in enumerate(HEADER):
        table.add_column(name, justify="left" if k in (0, 4, 6, 7) else "right", overflow="fold")
    for cells, word in rows(result):
        table.add_row(*map(escape, cells), style=STYLES.get(word, ""))
    console.print(table)
    for one in result.standings:
        style = "bold red" if one.kind in REGRESSIONS else "yellow" if one.kind in UNMEASURED else "dim"
        console.print(f"{one.kind}: {one.benchmark}: {one.reason}", style=style, markup=False, highlight=False)
    console.print()
    for note in NOTES:
        console.print(note, style="dim", markup=False, highlight=False)
    console.print()
    style = "bold red" if result.regressions else "bold yellow" if result.unmeasured else "bold green"
    console.print(line, style=style, markup=False, highlight=False)


def _plain(text: str) -> str:
    return " ".join(html.escape(text).replace("|", "&#124;").replace("`", "'").split())


def markdown(result: Result, title: str, line: str, provenance: Sequence[str]) -> str:
    """The same for a pull request: the verdict first."""
    parts = [f"## {_plain(line)}", _plain(title)]
    if result.findings:
        table = [[_plain(cell) for cell in cells] for cells, _ in rows(result)]
        parts.append(tabulate(table, headers=HEADER, tablefmt="github", disable_numparse=True))
    if result.standings:
        parts.append(
            "\n".join(f"- **{one.kind}** {_plain(one.benchmark)}: {_plain(one.reason)}" for one in result.standings)
        )
    parts.append("\n".join(f"- {_plain(one)}" for one in (*NOTES, *provenance)))
    return "\n\n".join(parts) + "\n"


def junit(result: Result, title: str) -> str:
    """One test case per benchmark and metric: a regression fails, what was not measured is an error."""
    suite = junitparser.TestSuite(title)
    for finding in result.findings:
        case = junitparser.TestCase(f"{finding.benchmark} {finding.metric}", classname="regression")
        said = f"{finding.verdict} {change(finding)}"
        if finding.verdict == "slower":
            case.result = [junitparser.Failure(said, "slower")]
        elif finding.verdict == "unknown":
            case.result = [junitparser.Skipped(said, "unknown")]
        suite.add_testcase(case)
    for one in result.standings:
        case = junitparser.TestCase(f"{one.benchmark} agreement", classname="regression")
        if one.kind in REGRESSIONS:
            case.result = [junitparser.Failure(one.reason, one.kind)]
        elif one.kind in UNMEASURED:
            case.result = [junitparser.Error(one.reason, one.kind)]
        else:
            case.result = [junitparser.Skipped(one.reason, one.kind)]
        suite.add_testcase(case)
    xml = junitparser.JUnitXml()
    xml.add_testsuite(suite)
    return str(xml.tostring().decode())  # type: ignore[no-untyped-call]
