"""What a change buys: implementations that differ in it alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from benchmarks.tables import Column
from reports.frames import ARM
from reports.report import PURPOSES, Answer, Report, in_order, pair_ratios
from reports.tables import WHERE, ratio, words_of
from reports.verdict import FASTER, SLOWER, UNCLEAR, verdicts

CHANGES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "Is torch.compile worth it?": ("Compared with the same code without it:", {"_compiled": ""}),
    "What does hoisting the input projection buy?": (
        "The projection of all time steps is one product.",
        {"_hoisted": ""},
    ),
    "What does a hand-written backward buy?": (
        "The backward batches the weight gradients over time; the input projection is hoisted in both.",
        {"_autograd": "_hoisted", "_vjp": "_hoisted"},
    ),
    "What does splitting the batch over the processors buy?": (
        "Each processor has some rows of the batch; the backward is hand-written in both.",
        {"_sharded": ""},
    ),
    "What does C++ buy?": (
        "A layer is one call of C++, with all products; the backward is hand-written in both.",
        {"torch_cpp": "torch_cell_autograd", "jax_ffi": "jax_scan_vjp"},
    ),
    "What does oneDNN buy PyTorch?": (
        "oneDNN does the whole layer of torch_lstm.",
        {"torch_lstm": "torch_lstm_native"},
    ),
}
"""Changes, each with what it is, and with the names of implementations that differ in it alone.

It has for the end of a name with the change that of the one without: because of `{"_compiled": ""}`,
`torch_cell_compiled` is compared with `torch_cell`.
"""


def compared(report: Report) -> pd.DataFrame:
    """Return the ratio of each implementation with a change to the one without; Holm's family is all of the run.

    Columns: change, without, ARM, position, where, ratio with _low and _high, verdict. The rows are in CHANGES' order.
    """
    pairs = [
        (change, name.removesuffix(end) + without, name)
        for change, (_, ends) in CHANGES.items()
        for end, without in ends.items()
        for name in sorted(set(report.sound["implementation"].astype(str)))
        if name.endswith(end)
    ]
    of_change = pd.DataFrame(pairs, columns=["change", "without", "implementation"])
    arms = of_change.merge(report.sound[[*ARM, "position", "where"]], on="implementation")
    found = pair_ratios(report, arms, "without")
    return found.assign(verdict=verdicts(found)) if len(found) else found


def make(report: Report) -> Iterator[Answer]:
    """Yield what each change buys."""
    for change, mine in compared(report).groupby("change", sort=False):
        yield _answer(str(change), mine, report)


def _answer(change: str, found: pd.DataFrame, report: Report) -> Answer:
    names = set(found["implementation"].astype(str)) - {report.baseline}
    known = report.sound[report.sound["ratio"].notna() & report.sound["implementation"].isin(names)]
    verdicts_of = known.groupby("mode")["verdict"].agg(set)
    asked = [mode for mode in PURPOSES if mode in verdicts_of and change.startswith("Is ")]
    said = [f"{PURPOSES[mode]}: {_worth(report.baseline, verdicts_of[mode])}" for mode in asked]
    said.append(CHANGES[change][0])
    for (without, given), rows in found[found["mode"] == "train_step"].groupby(
        ["without", "implementation"], sort=False
    ):
        ends = dict.fromkeys(f"{end:.2f}" for end in (rows["ratio"].min(), rows["ratio"].max()))
        unclear = f" ({UNCLEAR})" if set(rows["verdict"]) == {UNCLEAR} else ""
        said.append(
            f"A training step of {given} takes {' to '.join(ends)} × {without}'s time{unclear}."
        )
    columns = (
        *WHERE,
        words_of("without"),
        words_of("implementation", "with"),
        Column("ratio", "time, × without [95 %]", ratio()),
        words_of("verdict"),
    )
    return Answer(change, " ".join(said), columns, in_order(found))


def _worth(baseline: str, kinds: set[str]) -> str:
    """Return a plain answer: whether what has the change beats the baseline, which is there anyway."""
    if FASTER not in kinds and kinds != {SLOWER}:
        return f"no, nothing with it is clearly faster than {baseline}."
    if kinds == {SLOWER}:
        return f"no, if {baseline} does what you need: it is faster without, at every shape here."
    return (
        f"yes, it is faster than {baseline} at every shape here."
        if kinds == {FASTER}
        else "it depends on the shape."
    )
