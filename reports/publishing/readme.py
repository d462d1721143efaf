"""README's answer to which LSTM is fastest, on the first two machines: a table of a training step, and more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.cases import QUICK
from benchmarks.tables import markdown_table
from benchmarks.words import count, listed
from reports import tables
from reports.machines import Machine, by_machine, together
from reports.parts import cliffs
from reports.preamble import torch_and_jax
from reports.publishing import phrases, questions
from reports.publishing.questions import CALL, STEP
from reports.report import Report
from reports.site.documents import slug
from reports.verdict import FASTER, UNCLEAR

NAMED = {
    "torch_lstm": "`torch.nn.LSTM`",
    "torch_cpp": "our C++ in PyTorch (`torch_cpp`)",
    "jax_ffi": "our C++ in JAX (`jax_ffi`)",
    "flax_nnx": "Flax (`flax_nnx`)",
    "keras_jax": "Keras on JAX (`keras_jax`)",
    "torch_cell": "a Python loop (`torch_cell`)",
}
"""The rows of README's first table."""
USE = """
Too slow? [Replace it](docs/reference.md#use-one-in-your-program) by `native_lstm.LSTM`, which is `torch_cpp` and \
takes all its options:
`pip install ./impls/native`."""
OfMachines = Sequence[dict[str, dict[str, Any]]]
"""For each machine the rows at each problem, by implementation."""


def fastest(reports: Sequence[Report]) -> str:
    """Return README's answer: a sentence, a table of a training step on two machines, how it was measured, and more."""
    every = [(each, together(each.runs)) for each in by_machine(reports)]
    chosen = [(each, rows) for each, rows in every if phrases.rows(rows, STEP, QUICK[0])][
        :2
    ] or every[:1]
    machines = [each for each, _ in chosen]
    short = _briefly(machines)
    steps, calls = (
        [{p: phrases.rows(rows, mode, p) for p in QUICK} for _, rows in chosen]
        for mode in (STEP, CALL)
    )

    def on_each(cells: Sequence[str | None]) -> str:
        known = [(cell, name) for cell, name in zip(cells, short, strict=True) if cell]
        return listed([f"{cell} ({name})" if short[1:] else cell for cell, name in known])

    compiled = on_each([phrases.cell(at[QUICK[0]].get("torch_lstm_compiled")) for at in steps])
    ratios = {
        name: [tables.ratio()(at[QUICK[1]][name]) for at in calls]
        for name in _faster_on_all(calls, QUICK[1])
    }
    quickest = [f"`{name}` took {on_each(cells)}" for name, cells in ratios.items()]
    table = _steps(machines, short, steps)
    use = USE if "torch_cpp" in _faster_on_all(steps, QUICK[0]) else ""
    unclear = (
        f" *{UNCLEAR}*: not certain, counting all comparisons."
        if UNCLEAR in table + compiled
        else ""
    )
    asked = ", ".join(
        f"[{each.about}](docs/results.md#{slug(each.title)})"
        for each, _ in questions.answered(reports)
    )
    return f"""\
Start with `torch.nn.LSTM`. In a training step {_which(steps, " on both processors" if short[1:] else "")}.{use}

{table}
Brackets are 95 % intervals. Below 1 is faster, **bold** clearly.{unclear}
A training step is outputs and all gradients, no optimizer. [All results](docs/results.md).

- **Inference at batch 1:** {next(iter(quickest), "nothing took clearly less")} of `torch.nn.LSTM`'s time.
- **`torch.compile`** leaves `nn.LSTM` out by default. With `allow_rnn`, training at batch 16 took \
{compiled} times as long.
{_options(machines, on_each)}\
- **Asked in issue trackers:** {asked}.
- **Streams:** [p99](docs/results.md#how-late-is-the-slowest-step-of-a-stream)."""


def _which(steps: OfMachines, where: str) -> str:
    """Return which implementations were clearly faster, at batch 1 and at batch 16."""
    names = [_faster_on_all(steps, problem) for problem in QUICK]
    large, small = (
        f"{listed([f'`{name}`' for name in each]) or 'nothing'} {'were' if len(each) > 1 else 'was'}"
        for each in names
    )
    if large == small:
        return f"at batch 1 and 16, {large} clearly faster{where}"
    return f"at batch 1, {small} clearly faster{where}; at batch 16, {large}"


def _steps(machines: Sequence[Machine], short: Sequence[str], steps: OfMachines) -> str:
    """Return the table of a training step, and after it of which runs it is."""
    table = [
        [words, *(phrases.cell(at[p].get(name)) for at in steps for p in QUICK)]
        for name, words in NAMED.items()
    ]
    of = [f"{name}, " for name in short] if short[1:] else [""]
    head = [
        "time of a training step ÷ `torch.nn.LSTM`'s",
        *(f"{name}batch {size}" for name in of for size in (16, 1)),
    ]
    apart = [
        name
        for name in NAMED
        if any(name in rows and rows[name].number for at in steps for rows in at.values())
    ]
    others = f" {listed([f'`{name}`' for name in apart])}: other runs." if apart else ""
    versions = "; ".join(dict.fromkeys(torch_and_jax(each.head.run) for each in machines))
    measured = []
    for name, each in zip(short, machines, strict=True):
        cores = count(each.head.run.metadata.machine.cores or 0, "core")
        where = f"{each.label.removeprefix(f'{name}, ')}, {cores}, {phrases.when(each.head.run)}"
        measured.append(f"[{name}](reports/published/{each.head.name}/table.md): {where}.")
    said = f"64 steps, input and hidden size 128, float32; {versions}. {' '.join(measured)}{others}"
    return f"{markdown_table(table, head)}\n\n{said}"


def _faster_on_all(of_machines: OfMachines, problem: str) -> list[str]:
    """Return the names of those that are clearly faster than the baseline on each machine, by ratio on the first."""
    first, *others = (
        {name: row for name, row in at[problem].items() if row.verdict == FASTER}
        for at in of_machines
    )
    names = [name for name in first if all(name in other for other in others)]
    return sorted(names, key=lambda name: float(first[name].ratio))


def _options(machines: Sequence[Machine], on_each: Callable[[Sequence[str | None]], str]) -> str:
    """Return the option that throws nn.LSTM off its fast path silently, on each machine, where native_lstm gains most.

    That is in training, on the first machine. Nothing is said where no option was measured.
    """
    theirs: list[dict[str, Any]] = []
    ours: list[dict[str, Any]] = []
    for machine in machines:
        rows = questions.found(machine).costs
        rows = rows[(rows["mode"] == STEP) & (rows["same"] == QUICK[0])]
        silent = rows[
            (rows["implementation"] == "torch_lstm") & (rows["operator"] == cliffs.SILENTLY)
        ]
        theirs.append({str(row.option): row for row in silent.itertuples(index=False)})
        native = rows[rows["implementation"] == "torch_cpp"]
        ours.append({str(row.option): row for row in native.itertuples(index=False)})
    known = [option for option in theirs[0] if all(option in of for of in theirs if of)]
    gains = {
        option: theirs[0][option].over / ours[0][option].over
        for option in known
        if option in ours[0]
    }
    if not gains:
        return ""
    option = max(gains, key=lambda option: gains[option])

    def cells(of_machines: Sequence[dict[str, Any]]) -> str:
        return on_each([phrases.over(of.get(option)) for of in of_machines])

    return f"""\
- **Off its fast path,** PyTorch runs [another operator, silently](docs/results.md#what-an-option-costs). \
With {option}, a training step took, over one of `nn.LSTM` without: `nn.LSTM` {cells(theirs)}, \
`native_lstm` {cells(ours)}.
"""


def _briefly(machines: Sequence[Machine]) -> list[str]:
    """Return such as `AMD EPYC` for each machine, with its family where that is not enough."""
    for words in (1, 2, None):
        short = [", ".join(each.label.split(", ")[:words]) for each in machines]
        if len(set(short)) == len(short):
            break
    return short
