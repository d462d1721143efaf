"""What a gate found: on the terminal, as Markdown for a pull request, as JUnit XML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import junitparser
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tabulate import tabulate

from benchmarks.regression.decision import Finding
from benchmarks.regression.outcome import REGRESSIONS, UNMEASURED, Result
from benchmarks.words import markdown_cell

HEADER = ("implementation", "base", "change [95 %]", "verdict", "finds", "also", "n")
STYLES = {"slower": "bold red", "faster": "green", "unknown": "yellow"}
NOTES = (
    "change: of head's time to base's, taken inside blocks of turns, then over n replicates, with a t interval.",
    "slower: sure after Holm (0.3 % for the whole gate) and at least the margin; confirmed in fresh replicates.",
    "same: the interval lies within the margin. unknown: neither.",
    "finds: the smallest slowdown that this run would have found 9 times of 10.",
    "also: where they are not the same, the first call of a fresh process (limit +25 % and 50 ms; compile cache warm),",
    "and the peak of resident memory (limit +10 % and 8 MiB).",
)


def seconds(value: float) -> str:
    """Such as `4.62 ms`."""
    size, sign = next((unit for unit in ((1.0, "s"), (1e-3, "ms")) if value >= unit[0]), (1e-6, "µs"))
    return f"{value / size:.3g} {sign}"


def change(found: Finding) -> str:
    """Such as `+5.1 % [+4.6, +5.5]`."""
    low, high = (f"{100 * (limit - 1):+.1f}" if 0 < limit < 100 else "?" for limit in (found.low, found.high))
    return f"{100 * (found.ratio - 1):+.1f} % [{low}, {high}]"


def _also(metrics: dict[str, Finding]) -> str:
    """What the other metrics say, where they don't say `same`."""
    others = [one for one in metrics.values() if one.metric != "time" and one.verdict != "same"]
    return "; ".join(f"{one.metric} {one.verdict} {change(one)}" for one in others)


@dataclass(frozen=True)
class Row:
    """Cells in the order of HEADER, and the verdict that colours them."""

    cells: list[str]
    verdict: str


def sections(result: Result) -> dict[str, list[Row]]:
    """Per problem, workload and mode, a row per implementation."""
    by: dict[str, dict[str, Finding]] = {}
    for finding in result.findings:
        by.setdefault(finding.benchmark, {})[finding.metric] = finding
    found: dict[str, list[Row]] = {}
    for key, metrics in by.items():
        name, _, benchmark = key.partition(" ")
        time = metrics["time"]
        finds = f"{100 * time.smallest:+.1f} %" if math.isfinite(time.smallest) else "–"
        count = f"{time.replicates}{' fresh' if time.confirmed else ''}"
        cells = [name, seconds(time.base), change(time), time.verdict, finds, _also(metrics), count]
        worst = "slower" if any(one.verdict == "slower" for one in metrics.values()) else time.verdict
        found.setdefault(benchmark, []).append(Row(cells, worst))
    return found


def show(result: Result, title: str, line: str, console: Console) -> None:
    """The table and the verdict, for a person."""
    console.print(title, style="bold", markup=False, highlight=False, soft_wrap=True)
    for benchmark, rows in sections(result).items():
        table = Table(title=benchmark, title_justify="left", title_style="bold", box=None, header_style="dim")
        # a column in which nobody has anything to say takes room from the others
        kept = [k for k, name in enumerate(HEADER) if name != "also" or any(row.cells[k] for row in rows)]
        for name in (HEADER[k] for k in kept):
            right = name in ("base", "change [95 %]", "finds")
            table.add_column(name, justify="right" if right else "left", no_wrap=name != "also")
        for row in rows:
            table.add_row(*(escape(row.cells[k]) for k in kept), style=STYLES.get(row.verdict, ""))
        console.print()
        console.print(table)
    console.print()
    for one in result.standings:
        style = "bold red" if one.kind in REGRESSIONS else "yellow" if one.kind in UNMEASURED else "dim"
        console.print(
            f"{one.kind}: {one.benchmark}: {one.reason}", style=style, markup=False, highlight=False, soft_wrap=True
        )
    console.print()
    for note in NOTES:
        console.print(note, style="dim", markup=False, highlight=False, soft_wrap=True)
    console.print()
    style = "bold red" if result.regressions else "bold yellow" if result.unmeasured else "bold green"
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def markdown(result: Result, title: str, line: str, provenance: Sequence[str]) -> str:
    """The same for a pull request: the verdict first."""
    parts = [f"## {markdown_cell(line)}", markdown_cell(title)]
    for benchmark, rows in sections(result).items():
        cells = [[markdown_cell(cell) for cell in row.cells] for row in rows]
        parts.append(f"### {markdown_cell(benchmark)}")
        parts.append(tabulate(cells, headers=HEADER, tablefmt="github", disable_numparse=True))
    if result.standings:
        parts.append(
            "\n".join(
                f"- **{one.kind}** {markdown_cell(one.benchmark)}: {markdown_cell(one.reason)}"
                for one in result.standings
            )
        )
    parts.append("\n".join(f"- {markdown_cell(one)}" for one in (*NOTES, *provenance)))
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
