"""The blocks of README and docs that are made of raw files: the only places where a figure of a measurement stands.

A block begins with `<!-- NAME -->` and ends with `<!-- end of NAME -->`.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from benchmarks import ROOT
from benchmarks.cases import PUBLISHED as SHAPES
from benchmarks.cases import QUICK
from benchmarks.record import SCHEMA, TURN, Record
from benchmarks.tables import items, markdown, markdown_table
from benchmarks.words import count, listed
from benchmarks.worker.timing import Turn
from impls.core import registry
from impls.core.files import write_text
from reports import code_age, frames, peak, tables, tracks
from reports.history import PUBLISHED
from reports.machines import Machine
from reports.parts import stream
from reports.preamble import preamble, torch_and_jax, versions
from reports.publishing import cells, claims, maps, pools, readme, rounds, ways
from reports.publishing.figures import (
    CALL,
    STEP,
    Published,
    by_machine,
    grid,
    side_by_side,
    table_text,
)
from reports.report import PURPOSES, Answer
from reports.run_folder import complete


def published(folder: Path = PUBLISHED) -> Published:
    """Return the published runs in the order of a page, with what their tables hold."""
    runs, _ = frames.read_runs(frames.folders(folder))
    return Published([complete(run, run.folder.name) for run in code_age.in_order(runs)])


OF_OPTIONS = ("torch_lstm", "torch_cpp", "jax_ffi")
"""The columns of the table of options."""


def options(published: Published) -> str:
    """Return a table for each machine: times with each option over nn.LSTM's without it, and nn.LSTM's operator."""
    blocks = []
    modes = {STEP: "training", CALL: "inference"}
    heads = [f"{mode}, `{name}`" for mode in modes.values() for name in OF_OPTIONS]
    figures = published.figures[published.figures["problem"].str.startswith(QUICK[0])]
    figures["head"] = figures["mode"].map(modes) + ", `" + figures["implementation"] + "`"
    for machine, rows in by_machine(published, figures):
        costs = rows.query("column == 'with ÷ nn.LSTM without'")
        of_torch = costs.query("implementation == 'torch_lstm'")
        largest_first = of_torch.sort_values("cost", ascending=False, kind="stable")
        operators = rows.query("column == 'operator' and implementation == 'torch_lstm'")
        table = grid(costs, "problem", "head")
        table = table.reindex(index=largest_first["problem"].unique(), columns=heads)
        table.insert(0, "option", of_torch.groupby("problem")["option"].first())
        table.insert(1, "in the id", table.index.str.removeprefix(QUICK[0]))
        table["operator"] = operators.sort_values("mode").groupby("problem")["text"].last()
        of_run = torch_and_jax(costs["report"].iloc[0].run)
        blocks += [f"On {machine.label}, {of_run}:", table_text(table.set_index("option"))]
    return "\n\n".join(blocks)


def results(published: Published) -> str:
    """Return the tables of docs/results.md: of each machine, training and inference at the published shapes."""
    blocks = []
    ratios = published.figures.query("column == 'ratio' and problem in @SHAPES")
    for machine, rows in by_machine(published, ratios):
        blocks += [f"### {machine.label}", items(_about(machine, rows))]
        for mode, purpose in PURPOSES.items():
            of_mode = rows[rows["mode"] == mode]
            table = grid(of_mode, "implementation", "problem")
            table = table[[problem for problem in SHAPES if problem in table]]
            table.insert(0, "track", of_mode.groupby("implementation")["track"].first())
            table = table.loc[tracks.in_order(of_mode, "ratio")]
            blocks += [f"**{purpose}** (`{mode}`)", table_text(table)]
    return "\n\n".join(blocks)


def _about(machine: Machine, rows: pd.DataFrame) -> Iterator[str]:
    """Yield how a machine was measured, and which rows are of another run than the first, so that they can be cited."""
    yield from preamble(machine.head.run)
    for report in machine.runs[1:]:
        names = set(rows.loc[rows["report"] == report, "implementation"])
        if names:
            about = [f"of run {report.run.run_id}", *peak.reached(report.run), versions(report.run)]
            yield f"{listed(sorted(names))}: {'; '.join(about)}"


def by_release(name: str, published: Published) -> str:
    """Return a table for each machine: the times of an implementation in each release over those in the oldest."""
    blocks = []
    rows = published.figures.query("column == 'release ÷ oldest' and problem in @QUICK")
    rows = rows[rows["file"] == name].sort_values("order", kind="stable")
    rows["head"] = rows["mode"].map(PURPOSES) + ", `" + rows["problem"] + "`"
    heads = [f"{purpose}, `{problem}`" for purpose in PURPOSES.values() for problem in QUICK]
    for machine, of_machine in by_machine(published, rows):
        first = of_machine.iloc[0]
        table = grid(of_machine[of_machine["base"] == first["base"]], "release", "head").reindex(
            columns=heads
        )
        blocks += [
            f"{machine.label}, ÷ {first['base_release']}, {first['day']}:",
            table_text(table),
        ]
    return "\n\n".join(blocks)


def implementations(_: Published) -> str:
    """Return how many LSTMs there are, of how many libraries, and a row for each library."""
    lstms = [each for each in registry.catalogue().values() if each.is_lstm]
    of_library: dict[str, list[str]] = {}
    for each in lstms:
        needs = "" if "cpu" in each.devices else " (GPU)"
        of_library.setdefault(each.framework, []).append(f"`{each.name}`{needs}")
    table = [[library, ", ".join(names)] for library, names in sorted(of_library.items())]
    number = count(len(lstms), "implementation")
    return f"{number} of {len(table)} libraries:\n\n{markdown_table(table, ['library', 'implementations'])}"


def runs(published: Published) -> str:
    """Return the table of the published runs."""
    rows = []
    for each in published.reports:
        lstms = each.rows.query("status == 'ok'").drop_duplicates("implementation")
        lstms = lstms[code_age.file_of(lstms["implementation"]).isin(code_age.digests())]
        link = f"[{each.name}](../reports/published/{each.name}/table.md)"
        new = f"{sum(~lstms['older'])} of {len(lstms)}"
        rows.append([link, cells.machine_and_day(each.run), new])
    return markdown_table(rows, ["run", "measured on", "LSTMs of this code"])


def table(_: Published) -> str:
    """Return the columns of a table that have a note, with it."""
    every = (*tables.of_summary("torch_lstm"), tables.REASON)
    return markdown_table(
        [[each.name, each.note] for each in every if each.note], ["column", "meaning"]
    )


def columns(_: Published) -> str:
    """Return the columns of results.parquet, with their types, from the types of a record and of a turn."""
    table = [*_fields(Record, SCHEMA, ""), *_fields(Turn, TURN, "turns.")]
    return markdown_table(table, ["column", "type", "meaning"])


FIELD = re.compile(r"(?m)^(?:    # (.*)\n)?    (\w+): .*?(?:  # (.*))?$")
"""A field of a class, with its meaning in a comment above it or beside it."""


def _fields(kind: type, arrow: Any, prefix: str) -> Iterator[list[str]]:
    for above, name, beside in FIELD.findall(inspect.getsource(kind)):
        if arrow.get_field_index(name) >= 0 and name != "turns":
            kind_of = arrow.field(name).type
            words = "list of double" if pa.types.is_list(kind_of) else str(kind_of)
            yield [f"`{prefix}{name}`", words, above or beside]


def late(published: Published) -> str:
    """Return the table of streams that the page shows of each machine."""
    blocks = []
    for machine in published.machines:
        for answer, report in machine.shown:
            if isinstance(answer, Answer) and answer.title == stream.TITLE:
                about = f"{cells.machine_and_day(report.run)}. {answer.text}"
                if report.rows["older"].any():
                    about += f" Some rows are of *{code_age.OLDER}*."
                blocks += [about, markdown(answer.columns, answer.rows)]
    return "\n\n".join(blocks)


def machines_side_by_side(name: str, published: Published) -> str:
    """Return tables of docs/tables.toml, with a column for each machine and its releases."""
    figures = published.figures
    releases = figures["report"].map(lambda report: torch_and_jax(report.run))
    return side_by_side(name, figures.assign(machine=figures["machine"] + ", " + releases))


QUESTIONS = ("imdb", "packed", "compiling", "float64", "small", "keras")
"""Blocks of docs/tables.toml in docs/results.md."""
BLOCKS: dict[str, dict[str, Callable[[Published], str]]] = {
    "README.md": {
        "map": maps.picture_with_words,
        "fastest": readme.fastest,
        "gate": pools.gate,
    },
    "docs/results.md": {
        "results": results,
        "maps": maps.tables,
        "options": options,
        "late": late,
        **{name: partial(machines_side_by_side, name) for name in QUESTIONS},
        "releases-jax": partial(by_release, "jax_scan"),
        "releases-torch": partial(by_release, "torch_lstm"),
        "releases-compile": partial(by_release, "torch_lstm_compiled"),
        "implementations": implementations,
        "runs": runs,
    },
    "docs/ways.md": ways.BLOCKS,
    "docs/reference.md": {"table": table, "columns": columns},
    "docs/gate-evidence.md": {
        "pools": pools.pools,
        "calibration": pools.whole,
    },
}
"""The blocks of each text, with what makes them of the published runs."""


FILES = {maps.PICTURE: maps.picture}
"""Other files that are made of the published runs."""


def made(path: str, text: str, published: Published) -> str:
    """Return a text with its blocks made anew."""
    for name, make in BLOCKS[path].items():
        before, after = re.split(f"(?s)(?<=<!-- {name} -->\n).*?(?=<!-- end of {name} -->)", text)
        text = f"{before}{make(published)}\n{after}"
    return text


def write(folder: Path = PUBLISHED) -> tuple[list[str], list[claims.Checked]]:
    """Write the table of each published run anew, and where these are this suite's, its texts that have blocks.

    First the rounds are recorded, since the tables use what lasts for one.

    Returns:
        The texts, and the claims in them.
    """
    ours = folder == PUBLISHED
    rounds.record(frames.read_runs(frames.folders(folder))[0], folder)
    every = published(folder)
    for report in every.reports:
        write_text(report.run.folder / "table.md", tables.markdown(report))
    if not ours:
        return [], []
    for path in BLOCKS:
        text = (ROOT / path).read_text(encoding="utf-8")
        write_text(ROOT / path, made(path, text, every))
    for path, make in FILES.items():
        write_text(ROOT / path, make(every))
    return list(BLOCKS), list(claims.check(every))
