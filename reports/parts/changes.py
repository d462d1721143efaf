"""What a change buys: implementations that differ in it alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import altair as alt
import pandas as pd

from benchmarks.tables import Column
from benchmarks.words import listed
from reports import formatting
from reports.charts import dots, marks, style
from reports.charts.drawing import Drawing, file_name
from reports.frames import ARM
from reports.report import Answer, Report, in_order, pair_ratios, training
from reports.tables import WHERE, ratio, words_of
from reports.verdict import FASTER, SLOWER, UNCLEAR, verdicts

SECTION, ORDER = "changes", 40


CHANGES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "Is torch.compile worth it?": (
        "An implementation, before and after torch.compile.",
        {"_compiled": ""},
    ),
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
    "What does a recurrence in C++ buy?": (
        "The recurrence of all steps is one call of C++; the backward is hand-written in both.",
        {"torch_cpp": "torch_cell_autograd", "jax_ffi": "jax_scan_vjp"},
    ),
    "What does oneDNN buy PyTorch?": (
        "oneDNN does the whole layer of torch_lstm, and the batched products of torch_cell_onednn.",
        {"torch_lstm": "torch_lstm_native", "_onednn": "_autograd"},
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


def make(report: Report) -> Iterator[Answer | Drawing]:
    """Yield what each change buys, then a chart of all changes for each mode."""
    found = compared(report)
    for change, mine in found.groupby("change", sort=False):
        yield _answer(str(change), mine, report)
    for mode, rows in found.groupby("mode", sort=False, observed=True):
        yield _drawing(str(mode), rows)


def _answer(change: str, found: pd.DataFrame, report: Report) -> Answer:
    names = [name for name in dict.fromkeys(found["implementation"].astype(str)) if name != report.baseline]
    steps = training(report.sound[report.sound["ratio"].notna()])
    kinds = set(steps.loc[steps["implementation"].isin(names), "verdict"])
    said = [_worth(report.baseline, kinds)] if kinds and change.startswith("Is ") else []
    said.append(CHANGES[change][0])
    unclear = found["verdict"].map({UNCLEAR: f" ({UNCLEAR})"}).fillna("")
    found = found.assign(takes=found["ratio"].map("{:.2f} × at ".format) + found["where"] + unclear)
    for (without, given), rows in training(found).groupby(["without", "implementation"], sort=False):
        said.append(f"Relative to {without}, a training step of {given} takes {listed(list(rows['takes']))}.")
    said += filter(None, (_beside(report.baseline, name, steps) for name in names))
    columns = (
        *WHERE,
        words_of("without"),
        words_of("implementation", "with"),
        Column("ratio", "time, × without [95 %]", ratio()),
        words_of("verdict"),
    )
    return Answer(change, " ".join(said), columns, in_order(found))


def _worth(baseline: str, kinds: set[str]) -> str:
    """Return a plain answer, for training: whether what has the change beats the baseline, which is there anyway."""
    if kinds == {SLOWER}:
        return f"No, if {baseline} does what you need: it is faster without, at every shape here."
    return (
        f"Yes: it is faster than {baseline} at every shape here." if kinds == {FASTER} else "It depends on the shape."
    )


def _beside(baseline: str, name: str, steps: pd.DataFrame) -> str:
    """Return how the training steps of an implementation stand to the baseline's; nothing where that is not known."""
    mine = steps[steps["implementation"] == name]
    if mine.empty:
        return ""
    takes = " to ".join(dict.fromkeys(f"{end:.2f}" for end in (mine["ratio"].min(), mine["ratio"].max())))
    kinds = set(mine["verdict"])
    everywhere = f": {kinds.pop()} everywhere" if kinds in ({SLOWER}, {FASTER}) else ""
    return f"Beside {baseline}, {name} takes {takes} × its time{everywhere}."


def _said(row: Any) -> str:
    ratio = formatting.interval(row.ratio, row.ratio_low, row.ratio_high)
    return f"{row.implementation} over {row.without}, {row.where}: {ratio}, {row.verdict}"


def _drawing(mode: str, rows: pd.DataFrame) -> Drawing:
    where = list(dict.fromkeys(marks.words(rows.sort_values("position"), "where")["where"]))
    data = marks.points(rows, "ratio", _said, "without", "implementation", "where")
    data["change"] = data["without"] + " → " + data["implementation"]
    order = list(dict.fromkeys(data["change"]))
    ends = style.limits(data, "ratio", 0.8, 1.25)

    def chart(width: int) -> Any:
        above = width < 600  # then the names stand above their rows
        wide = width - 20 if above else min(width, 860) - 300
        axis = marks.log_axis("time with the change over time without it", ends, wide, apart=50)
        look: dict[str, Any] = {}
        if above:
            look = {"labelAlign": "left", "labelOffset": -5 * len(where) - 9, "labelPadding": -2}
        drawn = dots.layers(
            alt.Chart(data),
            "ratio",
            axis,
            dots.line_at(1),
            y=alt.Y("change:N", scale=alt.Scale(domain=order), title=None, axis=alt.Axis(labelLimit=310, **look)),
            yOffset=alt.YOffset("where:N", scale=alt.Scale(domain=where, paddingOuter=0.9 if above else 0.3)),
            color=alt.Color("where:N", scale=marks.several(where), legend=alt.Legend(columns=1 if above else 4)),
        )
        return drawn.properties(width=wide, height=(10 * len(where) + (34 if above else 12)) * len(order))

    title = f"What each change buys: {mode}"
    text = (
        f"Dot plot: the time of {mode} with a change over the time without it, for each pair of implementations and"
        " each problem, with 95 % intervals, on a logarithmic axis. Below 1, the change makes it faster."
    )
    return Drawing(file_name("gains", mode), title, text, None, mode, list(data["said"]), chart)
