"""What a change buys: implementations that differ in it alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmarks.columns import Column
from benchmarks.words import listed
from reports.answers.answer import VERDICT, WHERE, Answer, in_order, pair_ratios, training
from reports.columns import ratio, word
from reports.frames import ARM, Run
from reports.verdict import FASTER, SLOWER, UNCLEAR, verdicts


@dataclass(frozen=True)
class Change:
    """A change, and the pairs of implementations that differ in it alone: first without it, then with it."""

    title: str
    what: str
    pairs: tuple[tuple[str, str], ...]


CHANGES = (
    Change(
        "Is torch.compile worth it?",
        "An implementation, before and after torch.compile.",
        (("torch_cell", "torch_cell_compiled"), ("torch_lstm", "torch_lstm_compiled")),
    ),
    Change(
        "What does hoisting the input projection buy?",
        "The projection of all time steps is one product.",
        (("torch_cell", "torch_cell_hoisted"), ("jax_scan", "jax_scan_hoisted")),
    ),
    Change(
        "What does a hand-written backward buy?",
        "The backward batches the weight gradients over time; the input projection is hoisted in both.",
        (("torch_cell_hoisted", "torch_cell_autograd"), ("jax_scan_hoisted", "jax_scan_vjp")),
    ),
    Change(
        "What does splitting the batch over the processors buy?",
        "Each processor has some rows of the batch; the backward is hand-written in both.",
        (("jax_scan_vjp", "jax_scan_vjp_sharded"),),
    ),
    Change(
        "What does a recurrence in C++ buy?",
        "The recurrence of all steps is one call of C++; the backward is hand-written in both.",
        (("torch_cell_autograd", "torch_cpp"), ("jax_scan_vjp", "jax_ffi")),
    ),
    Change(
        "What does oneDNN buy PyTorch?",
        "oneDNN does the whole layer of torch_lstm, and the batched products of torch_cell_onednn.",
        (("torch_lstm_native", "torch_lstm"), ("torch_cell_autograd", "torch_cell_onednn")),
    ),
)


def compared(run: Run, sound: pd.DataFrame) -> pd.DataFrame:
    """Return the ratio of each implementation with a change to the one without; Holm's family is all of the run.

    Columns: change, without, ARM, position, where, ratio with _low and _high, verdict. The rows are in CHANGES' order.
    """
    pairs = pd.DataFrame(
        [(change.title, *pair) for change in CHANGES for pair in change.pairs],
        columns=["change", "without", "implementation"],
    )
    found = pair_ratios(run, sound, pairs.merge(sound[[*ARM, "position", "where"]], on="implementation"), "without")
    return found.assign(verdict=verdicts(found)) if len(found) else found


def changes(run: Run, sound: pd.DataFrame) -> Iterator[Answer]:
    """Yield what each change buys."""
    found = compared(run, sound)
    for change in CHANGES:
        mine = found[found["change"] == change.title]
        if len(mine):
            yield _change(change, mine, sound, run.baseline)


def _change(change: Change, found: pd.DataFrame, sound: pd.DataFrame, baseline: str) -> Answer:
    names = [name for name in dict.fromkeys(found["implementation"].astype(str)) if name != baseline]
    said = [*(_worth(baseline, names, sound) if change.title.startswith("Is ") else ()), change.what]
    for (without, given), rows in training(found).groupby(["without", "implementation"], sort=False):
        ratios = listed(
            [
                f"{row.ratio:.2f} × at {row.where}{f' ({UNCLEAR})' if row.verdict == UNCLEAR else ''}"
                for row in rows.itertuples(index=False)
            ]
        )
        said.append(f"Relative to {without}, a training step of {given} takes {ratios}.")
    said += filter(None, (_beside(baseline, name, sound) for name in names))
    columns = (
        *WHERE,
        Column("without", "without", word("without"), words=True),
        Column("with", "with", word("implementation"), words=True),
        Column("ratio", "time, × without [95 %]", ratio()),
        VERDICT,
    )
    return Answer(change.title, " ".join(said), columns, in_order(found))


def _worth(baseline: str, names: Sequence[str], sound: pd.DataFrame) -> list[str]:
    """Return a plain answer, for training: whether what has the change beats the baseline, which is there anyway."""
    mine = training(sound[sound["implementation"].isin(names)])
    kinds = set(mine.loc[mine["ratio"].notna(), "verdict"].astype(str))
    if not kinds:
        return []
    if kinds == {SLOWER}:
        return [f"No, if {baseline} does what you need: it is faster without, at every shape here."]
    return [
        f"Yes: it is faster than {baseline} at every shape here." if kinds == {FASTER} else "It depends on the shape."
    ]


def _beside(baseline: str, name: str, sound: pd.DataFrame) -> str:
    """Return how the training steps of an implementation stand to the baseline's; nothing where that is not known."""
    mine = training(sound[sound["implementation"] == name])
    mine = mine[mine["ratio"].notna()]
    if mine.empty:
        return ""
    low, high = (f"{value:.2f}" for value in (mine["ratio"].min(), mine["ratio"].max()))
    kinds = set(mine["verdict"].astype(str))
    word = {frozenset({SLOWER}): ": slower everywhere", frozenset({FASTER}): ": faster everywhere"}
    times = f"{low} ×" if low == high else f"{low} to {high} ×"
    return f"Beside {baseline}, {name} takes {times} its time{word.get(frozenset(kinds), '')}."
