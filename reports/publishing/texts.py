"""The blocks of README and docs that are made of raw files: the only places where a figure of a measurement stands.

A block begins with `<!-- NAME -->` and ends with `<!-- end of NAME -->`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
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
from impls.core.registry import Implementation
from impls.core.text import json_text
from reports import code_age, composition, frames, tables, tracks
from reports.estimates import PUBLISHED
from reports.parts import stream
from reports.preamble import preamble, versions
from reports.publishing import phrases, pools, questions, readme, rounds
from reports.publishing.questions import CALL, STEP
from reports.report import PURPOSES, Answer, Report
from reports.run_folder import complete


def published(folder: Path = PUBLISHED) -> list[Report]:
    """Return the published runs in the order of a page, with what their tables hold."""
    runs, _ = frames.read_runs(frames.folders(folder))
    return [complete(run, run.folder.name) for run in code_age.in_order(runs)]


OF_OPTIONS = ("torch_lstm", "torch_cpp", "jax_ffi")
"""The columns of the table of options."""


def options(reports: Sequence[Report]) -> str:
    """Return a table for each machine: times with each option over nn.LSTM's without it, and nn.LSTM's operator."""
    said = []
    modes = {STEP: "training", CALL: "inference"}
    head = [
        "option",
        "in the id",
        *(f"{mode}, `{name}`" for mode in modes.values() for name in OF_OPTIONS),
        "operator",
    ]
    for machine in composition.machines(reports):
        rows = questions.found(machine).costs.sort_values("cost", ascending=False, kind="stable")
        rows = rows[rows["problem"].str.startswith(QUICK[0])]
        at: dict[Any, Any] = {
            (row.problem, row.mode, row.implementation): row for row in rows.itertuples(index=False)
        }
        table = []
        mine = rows[rows["implementation"] == "torch_lstm"]
        for problem, option in (
            mine[["problem", "option"]].drop_duplicates().itertuples(index=False)
        ):
            cells = [
                phrases.over(at.get((problem, mode, name))) or "–"
                for mode in modes
                for name in OF_OPTIONS
            ]
            base = at.get((problem, STEP, "torch_lstm")) or at[problem, CALL, "torch_lstm"]
            table.append([option, problem.removeprefix(QUICK[0]), *cells, base.told])
        said += [f"On {machine.label}:\n\n{markdown_table(table, head)}"] if table else []
    return "\n\n".join(said)


def _of_other_runs(reports: Sequence[Report], rows: Sequence[Any]) -> Iterator[str]:
    """Yield which rows of a machine's tables are of another run than the first, so that they can be cited."""
    for number, each in enumerate(reports):
        names = sorted({str(row.implementation) for row in rows if row.number == number})
        if number and names:
            yield f"{listed(names)}: of run {each.run.run_id}; {versions(each.run)}"


def results(reports: Sequence[Report]) -> str:
    """Return the tables of docs/results.md: of each machine, training and inference at the published shapes."""
    shown = []
    for machine in composition.machines(reports):
        rows_of = partial(phrases.rows, composition.together(machine.runs))
        found = {mode: {problem: rows_of(mode, problem) for problem in SHAPES} for mode in PURPOSES}
        whole = [row for at in found.values() for rows in at.values() for row in rows.values()]
        shown += [
            f"### {machine.label}",
            items([*preamble(machine.head.run), *_of_other_runs(machine.runs, whole)]),
        ]
        for mode, purpose in PURPOSES.items():
            at = {problem: rows for problem, rows in found[mode].items() if rows}
            every = [row for rows in at.values() for row in rows.values()]
            names = tracks.in_order(pd.DataFrame(every), "ratio") if every else []
            track = {row.implementation: row.track for row in every}
            table = [
                [name, track[name], *(phrases.cell(rows.get(name)) for rows in at.values())]
                for name in names
            ]
            if every:
                shown += [
                    f"**{purpose}** (`{mode}`)",
                    markdown_table(table, ["implementation", "track", *at]),
                ]
    return "\n\n".join(shown)


def _lstms() -> list[Implementation]:
    return [each for each in registry.catalogue().values() if each.is_lstm]


def implementations(_reports: Sequence[Report]) -> str:
    """Return how many LSTMs there are, of how many libraries, and a row for each library."""
    of_library: dict[str, list[str]] = {}
    for each in _lstms():
        needs = "" if "cpu" in each.devices else " (GPU)"
        of_library.setdefault(each.framework, []).append(f"`{each.name}`{needs}")
    table = [[library, ", ".join(names)] for library, names in sorted(of_library.items())]
    number = count(len(_lstms()), "implementation")
    return f"{number} of {len(table)} libraries:\n\n{markdown_table(table, ['library', 'implementations'])}"


def runs(reports: Sequence[Report]) -> str:
    """Return the table of the published runs."""
    rows = []
    for each in reports:
        lstms = each.summary[each.summary["status"] == "ok"].drop_duplicates("implementation")
        lstms = lstms[code_age.file_of(lstms["implementation"]).isin(code_age.digests())]
        new = int(code_age.is_today(lstms).sum())
        link = f"[{each.name}](../reports/published/{each.name}/table.md)"
        rows.append([link, phrases.measured(each), f"{new} of {len(lstms)}"])
    return markdown_table(rows, ["run", "measured on", "LSTMs of today's code"])


def table(_reports: Sequence[Report]) -> str:
    """Return the columns of a table that have a note, with it."""
    every = (*tables.of_summary("torch_lstm"), tables.REASON)
    return markdown_table(
        [[each.name, each.note] for each in every if each.note], ["column", "meaning"]
    )


def columns(_reports: Sequence[Report]) -> str:
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


def late(reports: Sequence[Report]) -> str:
    """Return the table of streams that the page shows of each machine."""
    said = []
    for machine in composition.machines(reports):
        for answer, report in composition.shown(machine):
            if isinstance(answer, Answer) and answer.title == stream.TITLE:
                older = (
                    ""
                    if code_age.is_today(report.summary).all()
                    else f" Some rows are of *{code_age.OLDER}*."
                )
                table = markdown(answer.columns, answer.rows)
                said.append(f"{phrases.measured(report)}. {answer.sentence}{older}\n\n{table}")
    return "\n\n".join(said)


BLOCKS: dict[str, dict[str, Callable[[Sequence[Report]], str]]] = {
    "README.md": {"fastest": readme.fastest, "gate": pools.gate},
    "docs/results.md": {
        "results": results,
        "options": options,
        "late": late,
        "questions": questions.answers,
        "implementations": implementations,
        "runs": runs,
    },
    "docs/reference.md": {"table": table, "columns": columns},
    "docs/gate-evidence.md": {
        "pools": pools.pools,
        "calibration": pools.whole,
    },
}
"""The blocks of each text, with what makes them of the published runs."""


def made(path: str, text: str, reports: Sequence[Report]) -> str:
    """Return a text with its blocks made anew."""
    for name, make in BLOCKS[path].items():
        before, after = re.split(f"(?s)(?<=<!-- {name} -->\n).*?(?=<!-- end of {name} -->)", text)
        text = f"{before}{make(reports)}\n{after}"
    return text


def write(folder: Path = PUBLISHED) -> list[str]:
    """Write the table of each published run anew, and those of this suite's texts that have blocks; return these.

    First what lasts for a round, since the tables use it.
    """
    own = folder == PUBLISHED
    if own:
        write_text(PUBLISHED / "rounds.json", json_text(rounds.known(rounds.published())))
    reports = published(folder)
    for report in reports:
        write_text(report.run.folder / "table.md", tables.markdown(report))
    for path in BLOCKS if own else ():
        write_text(ROOT / path, made(path, (ROOT / path).read_text(encoding="utf-8"), reports))
    return list(BLOCKS) if own else []
