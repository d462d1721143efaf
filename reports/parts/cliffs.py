"""What an option of an LSTM costs: the same implementation with it and without, and whether another operator ran."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.tables import Column
from impls.core.problem import Problem
from reports.charts import shapes
from reports.charts.drawing import Drawing, said
from reports.estimates import intervals, lasting
from reports.frames import ARM, KEY
from reports.report import PURPOSES, Answer, Report
from reports.tables import ratio, word, words_of
from reports.verdict import FASTER, SLOWER, UNCLEAR

OPTIONS: Mapping[str, tuple[Any, str]] = {
    "dtype": ("float32", "{dtype}"),
    "resets": (False, "state starts anew"),
    "dropout": (False, "dropout, over {num_layers} layers"),
    "batch_first": (False, "batch first"),
    "lengths": (False, "unequal packed rows"),
    "proj_size": (0, "projection to {proj_size}"),
    "bias": (True, "no bias"),
    "bidirectional": (False, "both directions"),
    "num_layers": (1, "{num_layers} layers"),
}
"""The fields of a problem that are options, each with its value without the option, and with words for the option."""
EVEN = "equal packed rows"
SILENTLY = "another, silently"
"""What is told of an operator that ran in place of the one without the option, where nothing warned."""


def option_of(problem: str, known: Collection[str]) -> tuple[str, str] | None:
    """Return the id of the problem that lacks one option, of those that are known, and words for the option."""
    try:
        whole = Problem.parse(problem)
    except ValueError:  # of a run whose problems have other ids
        return None
    for name, (plain_value, words) in OPTIONS.items():
        if getattr(whole, name) != plain_value and (
            whole.num_layers == 1 or name != "num_layers" or not whole.dropout
        ):
            without = whole.replace(
                **{name: plain_value}, **({"even": False} if name == "lengths" else {})
            ).id
            if without in known:
                return without, EVEN if whole.even and name == "lengths" else words.format(
                    **vars(whole)
                )
    return None


def operator(kernel: Any) -> str:
    """Return the name of a kernel's operator: `aten::mkldnn_rnn_layer` of `aten::mkldnn_rnn_layer_backward × 1`."""
    return "" if pd.isna(kernel) else str(kernel).partition(" ")[0].removesuffix("_backward")


@functools.cache  # its chart, its tables, README and the questions all ask
def costs(report: Report) -> pd.DataFrame:
    """Return the row of each arm that has an option, with the ratio of its time to that without: cost, _low, _high.

    Further columns: over, _low, _high, the ratio to the baseline's time without; same, the problem without; option;
    without, the kernel there; and told, what became of it.

    The two are benchmarks of their own, which do not take turns with each other. So a ratio is taken between the times
    of a replicate, and its interval is wider than that of a ratio inside a block.
    """
    sound = report.sound
    found = {
        problem: option_of(problem, set(sound["problem"])) for problem in sound["problem"].unique()
    }
    seconds = report.run.records[[*KEY, "seconds"]].merge(sound[ARM])
    pairs = pd.DataFrame(
        [(name, *pair) for name, pair in found.items() if pair],
        columns=["problem", "same", "option"],
    )
    rest = [name for name in KEY if name != "problem"]
    both = seconds.merge(pairs, on="problem")
    both = both.merge(
        seconds, left_on=["same", *rest], right_on=["problem", *rest], suffixes=("", "_without")
    )
    if both.empty:
        return sound.head(0).reindex(
            columns=[*sound.columns, "same", "option", "cost", "over", "told"]
        )
    lasts = lasting(report.run).ratio
    both = both.assign(log=np.log(both["seconds"] / both["seconds_without"]), round=both["run_id"])
    rows = sound.merge(intervals(both, [*ARM, "same", "option"], "cost", lasts), on=ARM)
    of_all = [name for name in rest if name != "implementation"]
    base = seconds[seconds["implementation"] == report.baseline].drop(columns="implementation")
    base = base.rename(columns={"problem": "same", "seconds": "seconds_base"})
    over = both.merge(base, on=["same", *of_all])
    over = over.assign(log=np.log(over["seconds"] / over["seconds_base"]))
    rows = rows.merge(intervals(over, ARM, "over", lasts), on=ARM, how="left")
    ran = sound[[*ARM, "kernel"]].rename(columns={"problem": "same", "kernel": "without"})
    rows = rows.merge(ran, on=["same", *(name for name in ARM if name != "problem")])
    now, before = rows["kernel"].map(operator), rows["without"].map(operator)
    warned = rows.groupby(["implementation", "option"])["warning"].transform(
        "first"
    )  # PyTorch warns once a process
    other = np.where(warned.isna(), SILENTLY, "another, with a warning")
    named = now.str.contains("::") & before.str.contains(
        "::"
    )  # XLA names its fusions anew in each program
    named &= rows["implementation"] == report.baseline  # what runs most in a loop says little
    rows["told"] = np.where(named, np.where(now == before, "the same", other), "–")
    return rows


def make(report: Report) -> Iterator[Drawing | Answer]:
    """Yield for training and for inference a chart and a table of the costs of options, the largest first."""
    every = costs(report)
    for mode, purpose in PURPOSES.items():
        rows = every[every["mode"] == mode]
        if rows.empty:
            continue
        rows = rows.sort_values("cost", ascending=False, kind="stable")
        if len(rows["option"].unique()) > 1:
            yield _drawn(report, rows, mode)
        mine = rows[rows["implementation"] == report.baseline]
        said = "".join(
            f"With {row.option}, {report.baseline} takes {row.cost:.1f} × its time without, at {row.where}. "
            for row in mine.head(1).itertuples(index=False)
        )
        another = mine[mine["told"].str.startswith("another")]
        if len(mine) > 1:
            said += f"With {len(another)} of its {len(mine)} options, another operator ran than without."
        columns = (
            Column("option", "option", word("option"), words=True),
            words_of("problem"),
            words_of("implementation"),
            Column("cost", "time, × without it [95 %]", ratio("cost")),
            Column("over", f"÷ {report.baseline}'s time without it [95 %]", ratio("over")),
            Column("kernel", "the operator that took most time", word("kernel"), words=True),
            Column("told", "which is", word("told"), words=True),
        )
        yield Answer(f"What does an option cost? {purpose}", said.strip(), columns, rows)


def _drawn(report: Report, rows: pd.DataFrame, mode: str) -> Drawing:
    """Return the chart: a line for each option, from the largest cost of the baseline down."""
    clear = np.where(rows["cost_low"] > 1, SLOWER, np.where(rows["cost_high"] < 1, FASTER, UNCLEAR))
    ratios = {f"ratio{end}": rows[f"cost{end}"] for end in ("", "_low", "_high")}
    every = rows.assign(problem=rows["option"], verdict=clear, **ratios)
    largest = every.assign(mine=every["implementation"] == report.baseline)
    lines = largest.sort_values(["mine", "ratio"], ascending=False, kind="stable")[
        "problem"
    ].unique()
    told = {"–": ""}
    sentences = said(
        every,
        lambda row: (
            f"{row.implementation}, {row.where}: {ratio()(row)} × without{told.get(row.told, f'; {row.told}')}"
        ),
    )
    title = f"{PURPOSES[mode]}: what an option costs"
    text = "Dot plot, a line for each option: the time of an implementation over its time without the option."
    name = f"cliffs-{mode}"
    return shapes.dots(
        every, list(lines), sentences, "time, × without the option", name, title, text, names=140
    )
