"""The blocks of README and docs that are made of raw files: the only places where a figure of a measurement stands.

A block begins with `<!-- NAME -->` and ends with `<!-- end of NAME -->`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from benchmarks import ROOT, processors
from benchmarks.calibration.real_gates import span
from benchmarks.cases import PUBLISHED as SHAPES
from benchmarks.cases import QUICK
from benchmarks.record import SCHEMA, TURN, Record
from benchmarks.tables import items, markdown, markdown_table
from benchmarks.words import count, duration, listed
from benchmarks.worker.timing import Turn
from impls.core.files import write_text
from impls.core.registry import Implementation
from impls.core.text import json_text
from reports import composition, frames, pools, questions, rounds, tables, today, tracks
from reports.documents import slug
from reports.estimates import PUBLISHED
from reports.parts import cliffs, stream
from reports.preamble import preamble, torch_and_jax, versions
from reports.questions import CALL, STEP
from reports.report import PURPOSES, Report
from reports.run_folder import complete
from reports.today import age
from reports.verdict import BASELINE, FASTER, UNCLEAR

NAMED = {
    "torch_lstm": "`torch.nn.LSTM`",
    "torch_cpp": "our C++ in PyTorch (`torch_cpp`)",
    "jax_ffi": "our C++ in JAX (`jax_ffi`)",
    "jax_scan_vjp_sharded": "a JAX scan with a backward of its own (`jax_scan_vjp_sharded`)",
    "flax_nnx": "Flax (`flax_nnx`)",
    "keras_jax": "Keras on JAX (`keras_jax`)",
    "torch_cell": "a cell in a Python loop (`torch_cell`)",
}
"""The rows of README's first table."""


def published(folder: Path = PUBLISHED) -> list[Report]:
    """Return the published runs in the order of a page, with what their tables hold."""
    runs, _ = frames.read_runs(frames.folders(folder))
    return [complete(run, run.folder.name) for run in today.in_order(runs)]


def _rows(reports: Sequence[Report], mode: str, problem: str) -> dict[str, Any]:
    """Return the row of each implementation that has a time and still exists, as composition.together does.

    Releases such as `jax_scan@jax==0.8.*` are left out: a question has them.
    """
    rows = composition.together(reports, problem, mode)
    rows = rows[rows["implementation"].isin(today.digests())]
    return {str(row.implementation): row for row in rows.itertuples(index=False)}


def _cell(row: Any, mark: bool = True) -> str:
    """Return a ratio with its verdict; `mark` says which are of older code."""
    if row is None:
        return "–"
    ratio = tables.ratio()(row)
    if row.verdict == FASTER:
        ratio = re.sub(r"^[\d.]+", r"**\g<0>**", ratio)
    text = f"1 ({duration(row.seconds)})" if row.verdict == BASELINE else ratio
    return text + (f" {UNCLEAR}" if row.verdict == UNCLEAR else "") + (age(row) if mark else "")


def _measured(report: Report) -> str:
    """Return such as `AMD EPYC, family 26 (Zen 5), AVX-512, 2 cores; torch 2.13.0, jax 0.10.2; 2026-11-29`."""
    machine = report.run.metadata.machine
    words = f"{processors.words(machine)}, {count(machine.cores or 0, 'core')}"
    often = f"{count(len(report.run.rounds), 'round')}, " if len(report.run.rounds) > 1 else ""
    return f"{words}; {torch_and_jax(report.run)}; {often}{span(sorted(map(frames.began, report.run.rounds)))}"


def _briefly(machines: Sequence[composition.Machine]) -> list[str]:
    """Return such as `AMD EPYC` for each machine, with its family where that is not enough."""
    for words in (1, 2, None):
        short = [", ".join(each.label.split(", ")[:words]) for each in machines]
        if len(set(short)) == len(short):
            break
    return short


OfMachines = Sequence[dict[str, dict[str, Any]]]
"""For each machine the rows at each problem, by implementation."""


def fastest(reports: Sequence[Report]) -> str:
    """Return README's answer: a sentence, a table of a training step on two machines, how it was measured, and more."""
    machines = composition.machines(reports)[:2]
    short = _briefly(machines)
    steps, calls = ([{p: _rows(each.runs, mode, p) for p in QUICK} for each in machines] for mode in (STEP, CALL))

    def on_each(cells: Sequence[str]) -> str:
        return listed([f"{cell} ({name})" for cell, name in zip(cells, short, strict=True)]) if short[1:] else cells[0]

    compiled = [on_each([_cell(at[QUICK[0]].get("torch_lstm_compiled")) for at in rows]) for rows in (steps, calls)]
    quickest = [
        f"`{name}` took {on_each([tables.ratio()(at[QUICK[1]][name]) for at in calls])}"
        for name in _faster_on_all(calls, QUICK[1])[:1]
    ]
    asked = ", ".join(f"[{each.about}](docs/results.md#{slug(each.title)})" for each, _ in questions.answered(reports))
    return f"""\
Start with `torch.nn.LSTM`. In a training step {_which(steps, " on both processors" if short[1:] else "")}.

{_steps(machines, short, steps)} Brackets are 95 % intervals. Below 1 is faster, **bold** clearly.
*{UNCLEAR}*: not certain, counting all comparisons. Training: outputs and all gradients, no optimizer.
Another processor may differ: [all implementations, shapes and machines](docs/results.md).

- **Inference at batch 1:** {listed(quickest) or "nothing took clearly less"} of `torch.nn.LSTM`'s time.
- **`torch.compile`** leaves `nn.LSTM` out by default. With `allow_rnn`, at batch 16, training took \
{compiled[0]} times as long, inference {compiled[1]}.
{_options(machines[0].runs, f" ({short[0]})" if short[1:] else "")}\
- **Asked in issue trackers:** {asked}.
- **A stream, one step a call:** [p99](docs/results.md#how-late-is-the-slowest-step-of-a-stream)."""


def _which(steps: OfMachines, where: str) -> str:
    """Return which implementations were clearly faster, at batch 1 and at batch 16, and how to use one."""
    names = [_faster_on_all(steps, problem) for problem in QUICK]
    large, small = (
        f"{listed([f'`{name}`' for name in each]) or 'nothing'} {'were' if len(each) > 1 else 'was'}" for each in names
    )
    said = f"at batch 1, {small} clearly faster{where}; at batch 16, {large}"
    said = f"at batch 1 and 16, {large} clearly faster{where}" if large == small else said
    use = ". [Use `torch_cpp` in a program](docs/reference.md#use-one-in-your-program)"
    return said + (use if any("torch_cpp" in each for each in names) else "")


def _steps(machines: Sequence[composition.Machine], short: Sequence[str], steps: OfMachines) -> str:
    """Return the table of a training step, and after it of which runs it is."""
    ages = {age(rows[name]) for at in steps for rows in at.values() for name in NAMED if name in rows}
    mark = len(ages) > 1
    columns = [(at, problem) for at in steps for problem in QUICK]
    table = [[words, *(_cell(at[problem].get(name), mark) for at, problem in columns)] for name, words in NAMED.items()]
    of = [f"{name}, " for name in short] if short[1:] else [""]
    batches = [f"{name}batch {size}" for name in of for size in (16, 1)]
    measured = []
    for each, at in zip(machines, steps, strict=True):
        apart = [f"`{name}`" for name in NAMED if any(name in rows and rows[name].number for rows in at.values())]
        another = f", {listed(apart)}: another run" if apart else ""
        link = f"[run](reports/published/{each.head.name}/table.md)"
        measured.append(f"{_measured(each.head)}{'' if mark else ''.join(ages)}; {link}{another}.")
    head = ["time of a training step ÷ `torch.nn.LSTM`'s", *batches]
    return f"{markdown_table(table, head)}\n\n64 steps, input and hidden size 128, float32. {' '.join(measured)}"


def _faster_on_all(of_machines: OfMachines, problem: str) -> list[str]:
    """Return the names of those that are clearly faster than the baseline on each machine, the fastest on one first."""
    first, *others = ({name: row for name, row in at[problem].items() if row.verdict == FASTER} for at in of_machines)
    names = [name for name in first if all(name in other for other in others)]
    return sorted(names, key=lambda name: float(first[name].ratio))


def _options(runs: Sequence[Report], of_which: str) -> str:
    """Return which options throw nn.LSTM off its fast path in training without a word: the three that cost most."""
    rows = questions.found(runs).costs
    mine = rows[(rows["implementation"] == "torch_lstm") & (rows["mode"] == STEP) & (rows["told"] == cliffs.SILENTLY)]
    most = mine[mine["same"] == QUICK[0]].sort_values("cost", ascending=False).head(3)
    if most.empty:
        return ""
    named = listed([f"{tables.ratio('cost')(row)} with {row.option}" for row in most.itertuples(index=False)])
    return f"""\
- **Off `nn.LSTM`'s fast path{of_which}:** training took {named.replace(" with", " times as long with", 1)}: PyTorch
  runs [another operator, silently](docs/results.md#what-an-option-costs).
"""


def options(reports: Sequence[Report]) -> str:
    """Return, for each machine, a table of what each option costs nn.LSTM, and which operator ran."""
    tables_of = {machine.label: _options_of(machine.runs) for machine in composition.machines(reports)}
    return "\n\n".join(f"On {label}:\n\n{table}" for label, table in tables_of.items() if table)


def _options_of(runs: Sequence[Report]) -> str:
    rows = questions.found(runs).costs
    rows = rows[(rows["implementation"] == "torch_lstm") & rows["problem"].str.startswith(QUICK[0])]
    at: dict[str, dict[str, Any]] = {}
    row: Any
    for row in rows.sort_values("cost", ascending=False, kind="stable").itertuples(index=False):
        at.setdefault(row.problem, {}).setdefault(row.mode, row)
    table = [
        [
            next(iter(found.values())).option,
            problem.removeprefix(QUICK[0]),
            *(cell for mode in (STEP, CALL) for cell in _cost(found.get(mode))),
        ]
        for problem, found in at.items()
    ]
    head = ["option", "in the id", "training, ×", "operator", "inference, ×", "operator"]
    return markdown_table(table, head) if table else ""


def _cost(row: Any) -> tuple[str, str]:
    return ("–", "–") if row is None else (f"{tables.ratio('cost')(row)}{age(row)}", row.told)


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
        found = {mode: {problem: _rows(machine.runs, mode, problem) for problem in SHAPES} for mode in PURPOSES}
        whole = [row for at in found.values() for rows in at.values() for row in rows.values()]
        shown += [f"### {machine.label}", items([*preamble(machine.head.run), *_of_other_runs(machine.runs, whole)])]
        for mode, purpose in PURPOSES.items():
            at = {problem: rows for problem, rows in found[mode].items() if rows}
            every = [row for rows in at.values() for row in rows.values()]
            mark = len(set(map(age, every))) > 1
            names = tracks.in_order(pd.DataFrame(every), "ratio") if every else []
            track = {row.implementation: row.track for row in every}
            table = [[name, track[name], *(_cell(rows.get(name), mark) for rows in at.values())] for name in names]
            if every:
                older = "" if mark else age(every[0])
                shown += [f"**{purpose}** (`{mode}`){older}", markdown_table(table, ["implementation", "track", *at])]
    return "\n\n".join(shown)


def _lstms() -> list[Implementation]:
    return [each for each in today.implementations().values() if each.track in tracks.TRACKS]


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
        lstms = each.summary.drop_duplicates("implementation")
        lstms = lstms[today.file_of(lstms["implementation"]).isin(today.digests())]
        new = int(today.is_today(lstms).sum())
        link = f"[{each.name}](../reports/published/{each.name}/table.md)"
        rows.append([link, _measured(each), f"{new} of {len(lstms)}"])
    return markdown_table(rows, ["run", "measured on", "LSTMs of today's code"])


def table(_reports: Sequence[Report]) -> str:
    """Return the columns of a table that have a note, with it."""
    every = (*tables.of_summary("torch_lstm"), tables.REASON)
    return markdown_table([[each.name, each.note] for each in every if each.note], ["column", "meaning"])


def columns(_reports: Sequence[Report]) -> str:
    """Return the columns of results.parquet, with their types, from the types of a record and of a turn."""
    table = [*_fields(Record, SCHEMA, ""), *_fields(Turn, TURN, "turns.")]
    return markdown_table(table, ["column", "type", "meaning"])


FIELD = re.compile(r"(?m)^    (\w+): .*?(?:  # (.*))?$")


def _fields(kind: type, arrow: Any, prefix: str) -> Iterator[list[str]]:
    for name, meaning in FIELD.findall(inspect.getsource(kind)):
        if arrow.get_field_index(name) >= 0 and name != "turns":
            kind_of = arrow.field(name).type
            words = "list of double" if pa.types.is_list(kind_of) else str(kind_of)
            yield [f"`{prefix}{name}`", words, meaning]


def late(reports: Sequence[Report]) -> str:
    """Return the table of the newest run of streams on each machine."""
    said = []
    for machine in composition.machines(reports):
        found = [(each, answer) for each in machine.runs for answer in each.answers if answer.title == stream.TITLE]
        for report, answer in found[:1]:
            older = "" if today.is_today(report.summary).all() else f" Some rows are of *{today.OLDER}*."
            said.append(f"{_measured(report)}. {answer.sentence}{older}\n\n{markdown(answer.columns, answer.rows)}")
    return "\n\n".join(said)


BLOCKS: dict[str, dict[str, Callable[[Sequence[Report]], str]]] = {
    "README.md": {"fastest": fastest, "gate": pools.gate},
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
