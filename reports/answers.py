"""Questions that a run answers: what a change buys, where JAX beats the baseline, how far the floor is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from reports import estimates, formatting, frames
from reports.frames import ARM, BENCHMARK, Run
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
        "What does sharing out the batch over the processors buy?",
        "The hand-written backward with rows of the batch on every processor",
        (("jax_scan_vjp", "jax_scan_vjp_sharded"),),
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
    """Every question of which the run holds an answer; what failed anywhere answers none."""
    asked = summary[(summary["workload"] == WORKLOAD) & summary["mode"].isin(MODES)]
    sound = asked[asked["status"] == "ok"]
    problems = list(dict.fromkeys(summary["problem"].astype(str)))
    yield from _changes(run, sound, problems)
    yield from _scans(asked, run.options["baseline"], problems)
    yield from _floor(sound, problems)


def _where(rows: pd.DataFrame) -> pd.Series:
    """A problem's name, with the device where there are several."""
    problem = rows["problem"].astype(str)
    return problem if rows["device"].nunique() < 2 else problem + " on " + rows["device"].astype(str)


def _steps(rows: pd.DataFrame) -> pd.DataFrame:
    """The whole training steps among rows, each with its `where`."""
    steps = rows[rows["mode"] == "train_step"]
    return steps.assign(where=_where(steps))


def _place(row: pd.Series) -> list[str]:
    return [str(row["problem"]), str(row["mode"]), str(row["device"])]


def _in_order(table: pd.DataFrame, problems: list[str]) -> pd.DataFrame:
    """By problem, in the run's order, then by mode."""
    place = table["problem"].astype(str).map({problem: k for k, problem in enumerate(problems)})
    return table.assign(_place=place).sort_values(["_place", "mode"], kind="stable")


PAIR = ["without", "implementation"]
SURE = ("faster", "slower")
CONTENDER = ["track", "implementation"]


def _changes(run: Run, sound: pd.DataFrame, problems: list[str]) -> Iterator[Answer]:
    """The ratio of each with a change to the one without; all of the run are one family, as a table's verdicts."""
    arms = pd.MultiIndex.from_frame(sound[ARM].astype(str))
    mine = run.records[pd.MultiIndex.from_frame(run.records[ARM].astype(str)).isin(arms)]
    turns = frames.plain(frames.turns(run, mine))
    parts = []
    for change in CHANGES:
        for without, given in change.pairs:
            both = turns[turns["implementation"].isin((without, given))]
            # ratios are taken within BENCHMARK: the pair stands in for the workload, which is the same everywhere
            named = both["implementation"].where(both["implementation"] != without, _WITHOUT)
            parts.append(both.assign(workload=f"{without}\0{given}", implementation=named))
    together = estimates.ratios(pd.concat(parts, ignore_index=True), _WITHOUT)
    if together.empty:
        return
    together["without"] = together["workload"].str.partition("\0")[0]
    together["verdict"] = verdicts(together)
    for change in CHANGES:
        mine = together[pd.MultiIndex.from_frame(together[PAIR]).isin(list(change.pairs))]
        if len(mine):
            yield _change(change, mine, problems)


_WITHOUT = "\0without"


def _change(change: Change, table: pd.DataFrame, problems: list[str]) -> Answer:
    said = [change.what + "."]
    for (without, given), steps in _steps(table).groupby(PAIR, sort=False, observed=True):
        words = ", ".join(
            f"{row.ratio:.2f} × at {row.where}{'' if row.verdict in SURE else ' (not sure)'}"
            for row in steps.itertuples(index=False)
        )
        said.append(f"Of {without}'s time for a training step, {given} takes {words}.")
    rows = [
        [*_place(row), *map(str, row[PAIR]), _ratio(row), str(row["verdict"])]
        for _, row in _in_order(table, problems).iterrows()
    ]
    header = ["problem", "mode", "device", "without", "with", "time, × without [95 %]", "verdict"]
    return Answer(change.title, " ".join(said), header, rows)


def _ratio(row: pd.Series, name: str = "ratio") -> str:
    return formatting.interval(float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))


def _scans(asked: pd.DataFrame, baseline: str, problems: list[str]) -> Iterator[Answer]:
    """Where any JAX or Flax arm is faster than the baseline; in the table, that of least time in each track."""
    on_xla = asked["versions"].astype(str).str.split(" ").str[0].isin(SCANS)
    if baseline in set(asked.loc[on_xla, "implementation"]):
        return
    mine = asked[on_xla & asked["ratio"].notna()]
    if mine.empty:
        return
    steps = _steps(mine)
    said = []
    faster = steps[steps["verdict"] == "faster"].groupby("where", sort=False)["implementation"].agg(list)
    if len(faster):
        said.append(f"faster than {baseline} at " + ", ".join(f"{p} ({', '.join(who)})" for p, who in faster.items()))
    elif len(steps):
        said.append(f"shown nowhere to be faster than {baseline}")
    slower = steps.groupby("where", sort=False)["verdict"].agg(lambda words: set(words) == {"slower"}).astype(bool)
    if slower.any():
        said.append(f"slower, all of them, at {', '.join(map(str, slower.index[slower]))}")
    missing = set(_steps(asked[on_xla])["where"]) - set(steps["where"])
    if missing:
        said.append(f"not measured at {', '.join(sorted(missing))}")
    best = mine.loc[mine.groupby([*BENCHMARK, "track"], sort=False, observed=True)["ratio"].idxmin()]
    rows = [
        [*_place(row), *map(str, row[CONTENDER]), _ratio(row), str(row["verdict"])]
        for _, row in _in_order(best, problems).iterrows()
    ]
    header = ["problem", "mode", "device", "track", "best JAX or Flax", f"time, × {baseline} [95 %]", "verdict"]
    sentence = f"In a training step: {'; '.join(said)}." if said else ""
    yield Answer(f"Where does JAX beat {baseline}?", sentence, header, rows)


def _floor(sound: pd.DataFrame, problems: list[str]) -> Iterator[Answer]:
    """How many times the bare matrix products' time the best of each track takes."""
    known = sound[sound["floor_ratio"].notna() & (sound["track"] != "floor")]
    if known.empty:
        return
    best = known.loc[known.groupby([*BENCHMARK, "track"], sort=False, observed=True)["floor_ratio"].idxmin()]
    steps = _steps(best)
    said = ["The bare matrix products are the floor."]
    if len(steps):
        nearest = steps.loc[steps.groupby("where", sort=False)["floor_ratio"].idxmin()]
        words = [f"{r.floor_ratio:.2f} × at {r.where} ({r.implementation})" for r in nearest.itertuples(index=False)]
        said.append(f"A training step takes at best {', '.join(words)}.")
    if (best["floor_ratio_high"] < 1).any():
        said.append("Where it is surely below 1 ×, a library multiplies that size faster than plain products do.")
    rows = [
        [*_place(row), *map(str, row[CONTENDER]), _ratio(row, "floor_ratio"), formatting.share(row["peak_share"])]
        for _, row in _in_order(best, problems).iterrows()
    ]
    header = ["problem", "mode", "device", "track", "nearest", "time, × floor [95 %]", "% of peak"]
    yield Answer("How far is each from the floor?", " ".join(said), header, rows)
