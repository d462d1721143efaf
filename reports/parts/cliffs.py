"""What an option of an LSTM costs: the same implementation with it and without, and whether another operator ran."""

from collections.abc import Collection, Iterator, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.tables import Column
from benchmarks.words import listed, two_digits
from impls.core.problem import Problem
from reports.charts import shapes
from reports.charts.drawing import Drawing, labels
from reports.estimates import intervals
from reports.frames import ARM, KEY
from reports.history import lasting
from reports.packages import packages_of
from reports.report import PURPOSES, Answer, Report
from reports.tables import ratio, words_of
from reports.tracks import called
from reports.verdict import FASTER, SLOWER, UNCLEAR

OPTIONS: Mapping[str, tuple[Any, str]] = {
    "dtype": ("float32", "{dtype}"),
    "resets": (False, "state starts anew"),
    "dropout": (False, "dropout, over {num_layers} layers"),
    "batch_first": (False, "batch first"),
    "lengths": (False, "{rows} packed rows"),
    "proj_size": (0, "projection to {proj_size}"),
    "bias": (True, "no bias"),
    "bidirectional": (False, "both directions"),
    "num_layers": (1, "{num_layers} layers"),
}
"""The fields of a problem that are options, each with its value without the option, and with words for the option."""
UNEQUAL = "unequal packed rows"
"""Without the option all rows are as long as the longest: so many steps have rows that are padded."""
COSTLY = 1.5
"""The sentence names an option that makes the baseline take so many times its time."""
LESS = 0.67
"""It names another implementation where that takes so much of the baseline's time with the option, or less."""
THE_SAME = "the same"
SILENTLY = "another, silently"
WARNED = "another, with a warning"
UNKNOWN = "–"
"""What a row says of the operator that ran, beside the one that ran without the option."""


def option_of(problem: str, others: Collection[str]) -> tuple[str, str] | None:
    """Return the id of the problem, of some others, that lacks one option, and words for the option."""
    try:
        whole = Problem.parse(problem)
    except ValueError:  # of a run whose problems have other ids
        return None
    for name, (plain, words) in OPTIONS.items():
        if getattr(whole, name) == plain or (name == "num_layers" and whole.dropout):
            continue
        even = whole.even and name != "lengths"
        without = whole.replace(**{name: plain}, even=even).id
        if without in others:
            rows = "equal" if whole.even else "unequal"
            return without, words.format(**vars(whole), rows=rows)
    return None


def operator(kernel: Any) -> str:
    """Return the name of a kernel's operator: `aten::mkldnn_rnn_layer` of `aten::mkldnn_rnn_layer_backward × 1`."""
    return str(kernel).partition(" ")[0].removesuffix("_backward")


@cache  # its chart, its tables, README and the questions all ask
def costs(report: Report) -> pd.DataFrame:
    """Return the row of each arm that has an option, with the ratio of its time to that without: cost, _low, _high.

    Further columns: over, _low, _high, the ratio to the baseline's time without; same, the problem without; option;
    without, the kernel there; and operator, what became of it.

    The two are benchmarks of their own, which do not take turns with each other. So a ratio is taken between the times
    of a replicate, and its interval is wider than that of a ratio inside a block.
    """
    sound = report.sound
    problems = sound["problem"].unique()
    pairs = []
    for problem in problems:
        option = option_of(problem, problems)
        if option:
            pairs.append((problem, *option))
    rows = sound.merge(pd.DataFrame(pairs, columns=["problem", "same", "option"]))
    records = report.run.records[[*KEY, "seconds"]].merge(sound[ARM])
    # the times of the same replicate without the option, and the baseline's; joined by all columns of one name
    without = records.rename(columns={"problem": "same", "seconds": "seconds_without"})
    base = without[without["implementation"] == report.baseline].drop(columns="implementation")
    base = base.rename(columns={"seconds_without": "seconds_base"})
    times = records.merge(rows[[*ARM, "same"]]).merge(without).merge(base, how="left")
    lasts = lasting(report.run, "ratio")
    for name, other in (("cost", "seconds_without"), ("over", "seconds_base")):
        logs = times.assign(log=np.log(times["seconds"] / times[other]), round=times["run_id"])
        logs = logs.dropna(subset="log")
        ratios = intervals(logs, ARM, name, lasts)
        rows = rows.merge(ratios, on=ARM, how="left")
    kernels = sound[[*ARM, "kernel"]].rename(columns={"problem": "same", "kernel": "without"})
    rows = rows.dropna(subset="cost").merge(kernels)
    # PyTorch warns once a process
    rows["warning"] = rows.groupby(["implementation", "option"])["warning"].transform("first")
    rows["operator"] = [_operator(row, report.baseline) for row in rows.itertuples(index=False)]
    return rows


def _operator(row: Any, baseline: str) -> str:
    """Return what became of the operator that runs without an option: one of the words for that."""
    now = operator(row.kernel)
    before = operator(row.without)
    # XLA names its fusions anew in each program; and what runs most in a loop says little
    if row.implementation != baseline or "::" not in now or "::" not in before:
        return UNKNOWN
    if now == before:
        return THE_SAME
    return SILENTLY if pd.isna(row.warning) else WARNED


def make(report: Report) -> Iterator[Drawing | Answer]:
    """Yield for training and for inference a chart and a table of the costs of options, the largest first."""
    baseline = report.baseline
    columns = (
        Column("where", "option, implementation", _where, words=True),
        Column("cost", "time, × without it [95 %]", ratio("cost")),
        Column("over", f"÷ {baseline} without it [95 %]", ratio("over")),
        words_of("operator", "the operator that took most time"),
    )
    every = costs(report).sort_values("cost", ascending=False, kind="stable")
    for mode, purpose in PURPOSES.items():
        rows = every[every["mode"] == mode]
        if rows.empty:
            continue
        if len(rows["option"].unique()) > 1:
            yield _drawn(baseline, rows, mode)
        shapes_of_rows = rows["problem"].str.split("-").str[:4].str.join("-")
        for _, of_shape in rows.groupby(shapes_of_rows, sort=False):
            options = of_shape["option"].unique()
            what = options[0] if len(options) == 1 else "options"
            without = of_shape["same"].mode()[0]  # dropout is compared with several layers
            title = f"What is the cost of {what} at {without}? {purpose}"
            of_baseline = of_shape[of_shape["implementation"] == baseline]
            yield Answer(
                title, list(_sentences(baseline, of_baseline, of_shape)), columns, of_shape
            )


def _where(row: Any) -> str:
    return f"{row.option}, {row.implementation}"


def _sentences(baseline: str, rows: pd.DataFrame, every: pd.DataFrame) -> Iterator[str]:
    """Yield what the costly options cost the baseline, the largest first, what takes less, and what else it runs.

    `rows`: the baseline's, of `every`.
    """
    if rows.empty:
        return
    costly = rows[rows["cost"] >= COSTLY]
    if costly.empty:
        most = rows.iloc[0]
        yield (
            f"None makes {baseline} take {COSTLY:g} × its time;"
            f" the most is {most['option']}, {most['cost']:.1f} ×."
        )
    else:
        less = _less(costly, every)
        packed_first = costly.sort_values(
            "option", key=lambda option: option != UNEQUAL, kind="stable"
        )
        row: Any
        for row in packed_first.itertuples(index=False):
            yield _cost(row, baseline, less.get(row.option))
    if len(rows) > 1:
        others = rows["operator"].isin([SILENTLY, WARNED]).sum()
        yield f"With {others} of these {len(rows)} options, {baseline} runs another operator than without."


def _cost(row: Any, baseline: str, less: tuple[str, str, float] | None) -> str:
    """Return what a costly option costs the baseline and, where some takes less, that; for packed rows what to use.

    `less`: its name, its track, and its ratio to the baseline's time without.
    """
    is_packed = row.option == UNEQUAL
    time = "padded time" if is_packed else "time without it"
    takes = f"{baseline} takes {two_digits(row.cost)} × its {time}"
    uses = []
    if less:
        name, track, ratio = less
        takes += f"; {name} takes {two_digits(ratio)} × {baseline}'s {time}"
        uses = [f"use {called(name, track)}"]
    if not is_packed:
        return f"{_capital(row.option)}: {takes}."
    if not Problem.parse(row.problem).bidirectional:  # what goes back would begin in the padding
        uses = ["pad", *uses]
    advice = f"{_capital(listed(uses, 'or'))}: on" if uses else "On"
    return f"{advice} unequal packed rows, {takes}."


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _less(costly: pd.DataFrame, every: pd.DataFrame) -> dict[str, tuple[str, str, float]]:
    """Return for each option what of the baseline's library takes LESS of its time, or below, and its `over`."""
    library = packages_of(costly).str[0].iloc[0]
    same = every[packages_of(every).str[0] == library]
    found = {}
    row: Any
    for row in costly.itertuples():
        best = same[same["option"] == row.option].sort_values("over").iloc[0]
        if best["over"] <= LESS * row.cost:
            found[row.option] = (best["implementation"], best["track"], best["over"])
    return found


def _drawn(baseline: str, rows: pd.DataFrame, mode: str) -> Drawing:
    """Return the chart: a line for each option, from the largest cost of the baseline down."""
    is_slower = rows["cost_low"] > 1
    is_faster = rows["cost_high"] < 1
    rows = rows.assign(
        problem=rows["option"],
        verdict=np.select([is_slower, is_faster], [SLOWER, FASTER], UNCLEAR),
        ratio=rows["cost"],
        ratio_low=rows["cost_low"],
        ratio_high=rows["cost_high"],
    )
    is_baseline = rows["implementation"] == baseline
    lines = [*pd.concat([rows[is_baseline], rows[~is_baseline]])["option"].unique()]
    sentences = labels(rows, _label)
    axis_title = "time, × without the option"
    return Drawing(
        f"cliffs-{mode}",
        f"{PURPOSES[mode]}: what an option costs",
        "Dot plot, a line for each option: the time of an implementation over its time without the option.",
        sentences,
        partial(shapes.dots, rows, lines, sentences, axis_title, names=140),
    )


def _label(row: Any) -> str:
    label = f"{row.implementation}, {row.where}: {ratio()(row)} × without"
    return label if row.operator == UNKNOWN else f"{label}; {row.operator}"
