"""The table: on the terminal and as Markdown, from the same rows of text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tabulate import tabulate

from reports import text
from reports.frame import BENCHMARK, Run
from reports.verdict import ALPHA


@dataclass(frozen=True)
class Section:
    """One benchmark's table: its title, its header, its rows, and what is said of each row."""

    title: str
    header: list[str]
    rows: list[list[str]]
    words: list[str]


def versions_short(versions: str) -> str:
    """`flax 0.12.8, jax 0.10.2, jaxlib 0.10.2` as `flax 0.12.8`: the rest stands above the table."""
    return versions.split(",", maxsplit=1)[0]


def sections(summary: pd.DataFrame, baseline: str) -> Iterator[Section]:
    """A Section per benchmark."""
    header = [
        "implementation",
        "track",
        "version",
        "error",
        "first call",
        "time [95 % interval]",
        f"× {baseline} [95 %]",
        "verdict",
        "cores",
        "memory",
    ]
    for key, group in summary.groupby(BENCHMARK, sort=False):
        problem, workload, mode, device = key
        yield Section(
            title=f"{problem}   {workload}   {mode}   {device}",
            header=header,
            rows=[_row(row) for row in group.itertuples(index=False)],
            words=[str(row.verdict) if row.status == "ok" else "failed" for row in group.itertuples(index=False)],
        )


def _row(row: Any) -> list[str]:
    left = [row.implementation, row.track, versions_short(row.versions), text.error(row.error)]
    if row.status != "ok":
        return [*left, text.duration(row.first_call_seconds), row.status, row.reason, "", "", ""]
    ratio = "1"
    if row.verdict != "baseline":
        ratio = "–" if pd.isna(row.ratio) else text.interval(row.ratio, row.ratio_low, row.ratio_high)
    return [
        *left,
        text.duration(row.first_call_seconds),
        text.time_with_interval(row.seconds, row.seconds_low, row.seconds_high),
        ratio,
        row.verdict if isinstance(row.verdict, str) else "–",
        f"{row.cores_used:.2f}",
        text.size(row.peak_bytes),
    ]


def preamble(run: Run) -> list[str]:
    """What stands above every table: where, with what, how often."""
    environment, options = run.environment, run.options
    machine, commit = environment["machine"], environment["commit"]
    changed = ", with changes" if commit["dirty"] else ""
    gpu = f", {machine['gpu']}" if machine.get("gpu") else ""
    memory = machine["memory_bytes"] / 2**30
    dtypes = ", ".join(sorted(set(run.records["dtype"])))
    versions = sorted({one for line in run.records["versions"] for one in line.split(", ")})
    commit_id = (commit["id"] or "unknown")[:12] + changed
    often = f"{options['replicates']} replicates of {options['blocks']} blocks, seed {options['seed']}"
    return [
        f"{machine['cpu']}, {machine['cores']} cores, {memory:.0f} GiB{gpu}; {machine['system']}",
        f"{', '.join(versions)}, Python {environment['versions']['python']}",
        f"{dtypes}, {environment['matmul_precision']}; {options['threads']} threads",
        f"{often}; commit {commit_id}; run {options['run_id']}",
    ]


def notes(baseline: str) -> list[str]:
    """What the columns mean, in short."""
    return [
        f"faster, slower: after Holm over the whole run at {ALPHA:.0%}. tie: no difference from {baseline} was shown.",
        "error: the largest disagreement with a float64 reference, of any output or gradient.",
        "first call: cold, with an empty compile cache. cores: CPU seconds per second.",
        "memory: peak resident, above what the process held before the benchmark was opened.",
        "floor: the bare matrix products that any LSTM of that problem does; not an LSTM.",
    ]


def readme(run: Run, summary: pd.DataFrame, workload: str, mode: str) -> str:
    """One workload and mode as a short Markdown table, times and ratios of each problem side by side: README's."""
    rows = summary[(summary["workload"] == workload) & (summary["mode"] == mode) & (summary["status"] == "ok")]
    baseline = run.options["baseline"]
    problems = list(dict.fromkeys(rows["problem"]))
    cells: dict[str, list[str]] = {}
    for problem in problems:
        for row in rows[rows["problem"] == problem].itertuples(index=False):
            shown = cells.setdefault(str(row.implementation), [str(row.implementation), str(row.track)])
            _, _, _, _, _, time, ratio, verdict, _, _ = _row(row)
            shown += [time, f"{ratio} {verdict}" if verdict in ("faster", "slower", "tie") else ratio]
    header = ["implementation", "track"]
    for problem in problems:
        header += [problem, f"× {baseline}"]
    return tabulate(list(cells.values()), headers=header, tablefmt="github", disable_numparse=True)


STYLES = {"faster": "green", "slower": "red", "failed": "yellow", "baseline": "bold"}


def show(run: Run, summary: pd.DataFrame, console: Console) -> None:
    """Print every section."""
    baseline = run.options["baseline"]
    for line in preamble(run):
        console.print(line, style="dim", markup=False, highlight=False)
    for section in sections(summary, baseline):
        table = Table(title=section.title, title_justify="left", title_style="bold", box=None, header_style="dim")
        for name in section.header:
            table.add_column(
                name, justify="left" if name in ("implementation", "track", "version", "verdict") else "right"
            )
        for cells, word in zip(section.rows, section.words, strict=True):
            table.add_row(*(escape(cell) for cell in cells), style=STYLES.get(word, ""))
        console.print()
        console.print(table)
    console.print()
    for line in notes(baseline):
        console.print(line, style="dim", markup=False, highlight=False)


def _cell(value: str) -> str:
    """A cell of Markdown can't hold a bar or a new line, and no HTML is to come through it."""
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;")):
        value = value.replace(sign, entity)
    return " ".join(value.split())


def markdown(run: Run, summary: pd.DataFrame) -> str:
    """The same as a Markdown document."""
    baseline = run.options["baseline"]
    parts = ["# LSTM benchmarks", *(f"- {_cell(line)}" for line in preamble(run))]
    text_parts = ["\n".join([parts[0], "", *parts[1:]])]
    for section in sections(summary, baseline):
        rows = [[_cell(cell) for cell in row] for row in section.rows]
        text_parts.append(f"## {_cell(section.title)}")
        text_parts.append(
            tabulate(rows, headers=[_cell(name) for name in section.header], tablefmt="github", disable_numparse=True)
        )
    text_parts.append("\n".join(f"- {line}" for line in notes(baseline)))
    return "\n\n".join(text_parts) + "\n"
