"""The table: on the terminal and as Markdown, from the same rows of text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tabulate import tabulate

from benchmarks.terminal import all_fit
from reports import estimates, formatting
from reports.frames import BENCHMARK, Run
from reports.ranking import FASTEST
from reports.verdict import ALPHA

WORDS = ("implementation", "track", "in its track", "verdict")
"""Columns of words; all others are numbers, and stand to the right."""
REASON = 3
"""The cell of a failed row that holds the reason; its status is in the one before."""
UNSTEADY = 0.2
"""From this noise on a run is said to be no good."""


@dataclass(frozen=True)
class Line:
    """One row as text: its cells, or what came before it failed and the status and reason; and a word for its style."""

    track: str
    word: str
    cells: list[str]


@dataclass(frozen=True)
class Section:
    """One benchmark's table: its benchmark, its header, its lines, grouped by track."""

    problem: str
    workload: str
    mode: str
    device: str
    header: list[str]
    lines: list[Line]

    @property
    def title(self) -> str:
        """Such as `t64-b16-i128-h128   sequence   forward   cpu`."""
        return "   ".join((self.problem, self.workload, self.mode, self.device))


def sections(summary: pd.DataFrame, baseline: str) -> Iterator[Section]:
    """A Section per benchmark; inside it default, tuned, then the floor, each fastest first."""
    header = [
        "implementation",
        "track",
        "time [95 % interval]",
        f"× {baseline} [95 %]",
        "verdict",
        "in its track",
        "× floor",
        "% of peak",
        "cores",
        "first call",
        "memory",
        "error",
    ]
    ranked = summary.assign(_track=summary["track"].map(lambda track: TRACKS.get(str(track), len(TRACKS))))
    for key, group in ranked.groupby(BENCHMARK, sort=False, observed=True):
        rows = group.sort_values(["_track", "track", "seconds"], kind="stable")
        lines = [
            Line(str(row.track), str(row.verdict) if row.status == "ok" else "failed", _cells(row))
            for row in rows.itertuples(index=False)
        ]
        problem, workload, mode, device = map(str, key)
        yield Section(problem, workload, mode, device, header, lines)


TRACK_TITLES = {
    "default": "default: as the framework's documentation has it",
    "tuned": "tuned: the best known with the same framework",
    "floor": "floor: the bare matrix products, no LSTM",
}
TRACKS = {track: place for place, track in enumerate(TRACK_TITLES)}
"""The order of the tracks; any other comes after."""


def _cells(row: Any) -> list[str]:
    left = [str(row.implementation), str(row.track)]
    right = [formatting.duration(row.first_call_seconds), formatting.size(row.peak_bytes), formatting.error(row.error)]
    if row.status != "ok":
        return [*left, str(row.status), str(row.reason), "", "", "", "", "", *right]
    ratio = "1"
    if row.verdict != "baseline":
        ratio = "–" if pd.isna(row.ratio) else formatting.interval(row.ratio, row.ratio_low, row.ratio_high)
    return [
        *left,
        formatting.time_with_interval(row.seconds, row.seconds_low, row.seconds_high),
        ratio,
        row.verdict if isinstance(row.verdict, str) else "–",
        row.place,
        "–" if pd.isna(row.floor_ratio) else f"{row.floor_ratio:.2f}",
        formatting.share(row.peak_share),
        "–" if pd.isna(row.cores_used) else f"{row.cores_used:.2f}",
        *right,
    ]


def preamble(run: Run) -> list[str]:
    """What stands above every table: where, with what, how often, and how noisy it was."""
    environment, options = run.environment, run.options
    machine, commit = environment["machine"], environment["commit"]
    cores = f", {machine['cores']} cores" if machine["cores"] else ""
    memory = f", {machine['memory_bytes'] / 2**30:.0f} GiB" if machine["memory_bytes"] else ""
    gpu = f", {machine['gpu']}" if machine.get("gpu") else ""
    dtypes = ", ".join(sorted(set(run.records["dtype"].astype(str))))
    versions = sorted({one for line in set(run.records["versions"].astype(str)) for one in line.split(", ")})
    commit_id = (commit["id"] or "unknown")[:12] + (", with changes" if commit["dirty"] else "")
    often = " of ".join(
        formatting.count(options[name], name.removesuffix("s"))
        for name in ("replicates", "blocks")
        if options.get(name) is not None
    )
    seed = f", seed {options['seed']}" if options.get("seed") is not None else ""
    threads = f"; {formatting.count(options['threads'], 'thread')}" if options.get("threads") else ""
    return [
        f"{machine['cpu']}{cores}{memory}{gpu}; {machine['system']}",
        f"{', '.join(versions)}, Python {environment['versions']['python']}",
        f"{dtypes}, {environment['matmul_precision']}{threads}",
        *peak_and_noise(run),
        f"{often}{seed}; commit {commit_id}; run {options['run_id']}",
    ]


def peak_and_noise(run: Run) -> list[str]:
    """The matrix product's peak, and how far apart replicates of the same arm were: the run's own noise."""
    peaks = run.environment.get("matmul_flops_per_second") or {}
    said = [
        f"a large {dtype} matrix product reached {value / 1e9:.0f} GFLOP/s" for dtype, value in sorted(peaks.items())
    ]
    spread = estimates.noise(run.records)
    if not math.isnan(spread):
        said.append(f"noise: replicates of an arm differ by {100 * spread:.1f} % (the median arm's standard deviation)")
        if spread > UNSTEADY:
            said.append("THE MACHINE WAS BUSY OR UNSTEADY: measure again before you believe these times")
    return ["; ".join(said)] if said else []


def notes(baseline: str) -> list[str]:
    """What the columns mean, in short."""
    return [
        f"faster, slower: sure after Holm over the whole run at {ALPHA:.0%}. tie: not sure to differ from {baseline}.",
        "An interval is one of 95 %, of one comparison by itself: a tie's may lie beside 1.",
        "A tie may hide a difference that more --replicates and --blocks, on a quiet machine, would show.",
        "error: the largest disagreement with a float64 reference, of any output or gradient.",
        "first call: cold, with an empty compile cache. cores: CPU seconds per second.",
        "memory: peak resident, above what the process held before the benchmark was opened.",
        "in its track: fastest only where it is apart from every other in its track, after Holm; else who is tied.",
        "× floor: against the bare matrix products that any LSTM of that problem does; the floor is not an LSTM.",
        "% of peak: those products' operations per second, of what one large matrix product reached before the run.",
    ]


def readme(run: Run, summary: pd.DataFrame, workload: str, mode: str) -> str:
    """One workload and mode as a short Markdown table, the ratios of every problem side by side: README's.

    Bold is the fastest of its track, where it is apart from the rest of it.
    """
    rows = summary[(summary["workload"] == workload) & (summary["mode"] == mode) & (summary["status"] == "ok")]
    baseline = run.options["baseline"]
    base = rows[rows["implementation"] == baseline].set_index("problem")
    problems = list(dict.fromkeys(rows["problem"]))
    cells: dict[tuple[str, str], dict[str, str]] = {}
    order: dict[tuple[str, str], list[float]] = {}
    row: Any
    for row in rows.itertuples(index=False):
        mark = "**" if row.place == FASTEST else ""
        shown = "1" if row.verdict == "baseline" else formatting.interval(row.ratio, row.ratio_low, row.ratio_high)
        key = str(row.track), str(row.implementation)
        cells.setdefault(key, {})[str(row.problem)] = f"{mark}{shown}{mark}" + (" tie" if row.verdict == "tie" else "")
        order.setdefault(key, []).append(math.log(row.ratio))
    ranked = sorted(cells, key=lambda key: (TRACKS.get(key[0], len(TRACKS)), sum(order[key]) / len(order[key])))
    header = ["track", "implementation"]
    for problem in problems:
        one = base.loc[problem]
        time = formatting.time_with_interval(one["seconds"], one["seconds_low"], one["seconds_high"])
        header.append(f"{problem}<br>{time}")
    table = [[*key, *(cells[key].get(str(problem), "–") for problem in problems)] for key in ranked]
    return tabulate(table, headers=header, tablefmt="github", disable_numparse=True)


STYLES = {"faster": "green", "slower": "red", "failed": "yellow", "baseline": "bold"}
SPARE = ("track", "error", "memory", "first call", "% of peak", "× floor", "in its track", "cores")
"""Columns that a narrow terminal goes without, in this order."""


def on_terminal(section: Section, left_out: Sequence[str]) -> Table:
    """A section without these columns; reasons of failures, which are long, stand below it."""
    table = Table(title=escape(section.title), title_justify="left", title_style="bold", box=None, header_style="dim")
    kept = [k for k, name in enumerate(section.header) if name not in left_out]
    for name in (section.header[k] for k in kept):
        words = name in WORDS
        table.add_column(escape(name), justify="left" if words else "right", no_wrap=name == WORDS[0])
    last = None
    for row in section.lines:
        if last not in (None, row.track):
            table.add_row()
        cells = [cell if row.word != "failed" or k != REASON else "" for k, cell in enumerate(row.cells)]
        table.add_row(*(escape(cells[k]) for k in kept), style=STYLES.get(row.word, ""))
        last = row.track
    return table


def show(run: Run, summary: pd.DataFrame, console: Console) -> None:
    """Print every section."""
    baseline = run.options["baseline"]
    for line in preamble(run):
        console.print(line, style="dim", markup=False, highlight=False)
    shown = list(sections(summary, baseline))

    def fits(count: int) -> bool:
        return all_fit((on_terminal(one, SPARE[:count]) for one in shown), console)

    left_out = SPARE[: next((count for count in range(len(SPARE)) if fits(count)), len(SPARE))]
    for section in shown:
        console.print()
        console.print(on_terminal(section, left_out))
        for row in section.lines:
            if row.word == "failed":
                console.print(
                    f" {row.cells[0]}: {row.cells[REASON]}", style=STYLES["failed"], markup=False, highlight=False
                )
    console.print()
    if left_out:
        said = f"Left out, for the width: {', '.join(left_out)}. All of it is in table.md."
        console.print(said, style="dim", markup=False, highlight=False)
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
        rows = [[_cell(cell) for cell in line.cells] for line in section.lines]
        text_parts.append(f"## {_cell(section.title)}")
        text_parts.append(
            tabulate(rows, headers=[_cell(name) for name in section.header], tablefmt="github", disable_numparse=True)
        )
    text_parts.append("\n".join(f"- {_cell(line)}" for line in notes(baseline)))
    return "\n\n".join(text_parts) + "\n"
