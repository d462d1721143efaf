"""Questions that a run answers: what a change buys, where JAX beats the baseline, how far the floor is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from reports import estimate, frame, text
from reports.frame import BENCHMARK, Run
from reports.verdict import verdicts

MODES = ("forward", "train_step")
WORKLOAD = "sequence"


@dataclass(frozen=True)
class Answer:
    """A question, its answer in a sentence, and the table behind it."""

    title: str
    sentence: str
    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Change:
    """What one thing buys: pairs of an implementation without it and one with it, otherwise the same."""

    title: str
    what: str
    pairs: tuple[tuple[str, str], ...]


CHANGES = (
    Change(
        "What does hoisting the input projection buy?",
        "The projection of all time steps in one product",
        (("torch_cell", "torch_cell_hoisted"), ("jax_scan", "jax_scan_hoisted")),
    ),
    Change(
        "What does a hand-written backward buy?",
        "A backward that batches the weight gradients over time, on top of hoisting",
        (("torch_cell_hoisted", "torch_cell_autograd"), ("jax_scan_hoisted", "jax_scan_vjp")),
    ),
    Change(
        "What does torch.compile buy?",
        "The custom cell under torch.compile",
        (("torch_cell", "torch_cell_compiled"),),
    ),
)
SCANS = ("jax", "flax")
"""Frameworks that run on XLA, by the first word of `versions`."""


def answers(run: Run, summary: pd.DataFrame) -> Iterator[Answer]:
    """Every question of which the run holds an answer."""
    sound = run.records[run.records["status"] == "ok"]
    turns = frame.turns(run, sound[(sound["workload"] == WORKLOAD) & sound["mode"].isin(MODES)])
    problems = list(dict.fromkeys(summary["problem"].astype(str)))
    for change in CHANGES:
        yield from _change(change, turns, problems)
    yield from _scans(summary, run.options["baseline"], problems)
    yield from _floor(summary, problems)


def _place(row: pd.Series) -> list[str]:
    return [str(row["problem"]), str(row["mode"]), str(row["device"])]


def _in_order(table: pd.DataFrame, problems: list[str]) -> pd.DataFrame:
    """By problem, in the run's order, then by mode."""
    place = table["problem"].astype(str).map({problem: k for k, problem in enumerate(problems)})
    return table.assign(_place=place).sort_values(["_place", "mode"], kind="stable")


def _change(change: Change, turns: pd.DataFrame, problems: list[str]) -> Iterator[Answer]:
    """The ratio of the one with the change to the one without, per problem and mode."""
    found = []
    for without, given in change.pairs:
        both = turns[turns["implementation"].isin((without, given))]
        if both["implementation"].nunique() == 2:
            ratios = estimate.ratios(both, without)
            found.append(ratios.assign(without=without, verdict=verdicts(ratios)))
    if not found:
        return
    table = pd.concat(found, ignore_index=True)
    said = []
    for (old, new), mine in table.groupby(["without", "implementation"], sort=False, observed=True):
        steps = mine[mine["mode"] == "train_step"]
        if len(steps):
            words = ", ".join(
                f"{row.ratio:.2f} × at {row.problem}{'' if row.verdict in SURE else ' (not sure)'}"
                for row in steps.itertuples(index=False)
            )
            said.append(f"Of {old}'s time for a training step, {new} takes {words}.")
    rows = [
        [*_place(row), str(row["without"]), str(row["implementation"]), _ratio(row), str(row["verdict"])]
        for _, row in _in_order(table, problems).iterrows()
    ]
    header = ["problem", "mode", "device", "without", "with", "time, × without [95 %]", "verdict"]
    yield Answer(change.title, f"{change.what}. {' '.join(said)}".strip(), header, rows)


SURE = ("faster", "slower")


def _ratio(row: pd.Series, name: str = "ratio") -> str:
    return text.interval(float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))


def _scans(summary: pd.DataFrame, baseline: str, problems: list[str]) -> Iterator[Answer]:
    """In each track the JAX or Flax arm of least time, against the baseline."""
    framework = summary["versions"].astype(str).str.split(" ").str[0]
    mine = summary[framework.isin(SCANS) & summary["ratio"].notna() & (summary["implementation"] != baseline)]
    mine = mine[(mine["workload"] == WORKLOAD) & mine["mode"].isin(MODES)]
    if mine.empty:
        return
    best = mine.loc[mine.groupby([*BENCHMARK, "track"], sort=False, observed=True)["ratio"].idxmin()]
    steps = best[best["mode"] == "train_step"]
    faster = steps[steps["verdict"] == "faster"]
    wins = [f"{row.problem} ({row.implementation})" for row in faster.itertuples(index=False)]
    lost = steps.groupby("problem", sort=False, observed=True)["verdict"].agg(lambda words: set(words) == {"slower"})
    said = "In a training step, "
    said += f"faster than {baseline} at {', '.join(wins)}" if wins else f"nowhere faster than {baseline}"
    losses = list(lost.index[lost])
    said += f"; slower at {', '.join(map(str, losses))}." if losses else "."
    rows = [
        [*_place(row), str(row["track"]), str(row["implementation"]), _ratio(row), str(row["verdict"])]
        for _, row in _in_order(best, problems).iterrows()
    ]
    header = ["problem", "mode", "device", "track", "best JAX or Flax", f"time, × {baseline} [95 %]", "verdict"]
    yield Answer(f"Where does JAX beat {baseline}?", said, header, rows)


def _floor(summary: pd.DataFrame, problems: list[str]) -> Iterator[Answer]:
    """How many times the bare matrix products' time the best of each track takes."""
    known = summary[summary["floor_ratio"].notna() & (summary["track"] != "floor") & (summary["workload"] == WORKLOAD)]
    known = known[known["mode"].isin(MODES)]
    if known.empty:
        return
    best = known.loc[known.groupby([*BENCHMARK, "track"], sort=False, observed=True)["floor_ratio"].idxmin()]
    steps = best[best["mode"] == "train_step"]
    nearest = steps.loc[steps.groupby("problem", sort=False, observed=True)["floor_ratio"].idxmin()]
    words = [
        f"{row.floor_ratio:.2g} × at {row.problem} ({row.implementation})" for row in nearest.itertuples(index=False)
    ]
    said = f"The bare matrix products are the floor. A training step takes at best {', '.join(words)}."
    if (best["floor_ratio"] < 1).any():
        said += " Where it is below 1 ×, a library multiplies matrices of that size faster than the floor's torch.mm."
    rows = [
        [
            *_place(row),
            *map(str, row[["track", "implementation"]]),
            _ratio(row, "floor_ratio"),
            text.share(row["peak_share"]),
        ]
        for _, row in _in_order(best, problems).iterrows()
    ]
    header = ["problem", "mode", "device", "track", "nearest", "time, × floor [95 %]", "% of peak"]
    yield Answer("How far is each from the floor?", said if words else "", header, rows)
