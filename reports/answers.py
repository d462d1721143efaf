"""Questions that a run answers: what a change buys, where JAX beats the baseline, how far each is from the floor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmarks.columns import Column
from benchmarks.words import listed
from reports import formatting
from reports.columns import ratio, word
from reports.estimates import Blocks
from reports.frames import ARM, BENCHMARK, Run
from reports.tracks import FLOOR
from reports.verdict import FASTER, SLOWER, UNCLEAR, verdicts

MODES = ("forward", "train_step")
WORKLOAD = "sequence"


@dataclass(frozen=True)
class Answer:
    """A question, its answer in a few sentences, and the table behind it."""

    title: str
    sentence: str
    columns: Sequence[Column]
    rows: Sequence[Any]


@dataclass(frozen=True)
class Change:
    """A change, and the pairs of implementations that differ in it alone: first without it, then with it."""

    title: str
    what: str
    pairs: tuple[tuple[str, str], ...]


CHANGES = (
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
        "What does torch.compile buy?",
        "The custom cell is under torch.compile.",
        (("torch_cell", "torch_cell_compiled"),),
    ),
)
XLA_FRAMEWORKS = ("jax", "flax")
"""The frameworks that run on XLA, by the first word of `versions`."""

WHERE = tuple(Column(name, name, word(name), words=True) for name in ("problem", "mode", "device"))
VERDICT = Column("verdict", "verdict", word("verdict"), words=True)


def answers(run: Run, summary: pd.DataFrame) -> Iterator[Answer]:
    """Yield an Answer for each question that the run answers; an arm that failed is left out."""
    asked = summary[(summary["workload"] == WORKLOAD) & summary["mode"].isin(MODES)]
    order = {problem: k for k, problem in enumerate(dict.fromkeys(summary["problem"].astype(str)))}
    asked = asked.assign(position=asked["problem"].astype(str).map(order), where=_where(asked))
    sound = asked[asked["status"] == "ok"]
    yield from _changes(run, sound)
    yield from _jax(asked, run.baseline)
    yield from _floor(sound)


def _where(rows: pd.DataFrame) -> pd.Series:
    """Return the name of each row's problem, with the device where there are several."""
    problem = rows["problem"].astype(str)
    return problem if rows["device"].nunique() < 2 else problem + " on " + rows["device"].astype(str)


def _training(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of whole training steps."""
    return rows[rows["mode"] == "train_step"]


def _in_order(rows: pd.DataFrame) -> list[Any]:
    """Return rows by problem, in the run's order, then by mode."""
    return list(rows.sort_values(["position", "mode"], kind="stable").itertuples(index=False))


def _changes(run: Run, sound: pd.DataFrame) -> Iterator[Answer]:
    """Yield the ratio of each implementation with a change to the one without; Holm's family is all of the run."""
    pairs = pd.DataFrame(
        [(change.title, *pair) for change in CHANGES for pair in change.pairs],
        columns=["change", "without", "implementation"],
    )
    compared = pairs.merge(sound[[*ARM, "position", "where"]], on="implementation")
    have = pd.MultiIndex.from_frame(sound[ARM])
    without = compared.assign(implementation=compared["without"])[ARM]
    both = pd.MultiIndex.from_frame(without).isin(have)
    compared, without = compared[both], without[both]
    if compared.empty:
        return
    arms = pd.MultiIndex.from_frame(run.records[ARM].astype(str))
    wanted = pd.MultiIndex.from_frame(pd.concat([compared[ARM], without]))
    ratios = Blocks(run, run.records[arms.isin(wanted)]).ratios(compared[ARM], without)
    compared = pd.concat([compared, ratios], axis=1)[ratios["ratio"].notna()]
    compared["verdict"] = verdicts(compared)
    for change in CHANGES:
        mine = compared[compared["change"] == change.title]
        if len(mine):
            yield _change(change, mine)


def _change(change: Change, compared: pd.DataFrame) -> Answer:
    said = [change.what]
    for (without, given), rows in _training(compared).groupby(["without", "implementation"], sort=False):
        ratios = listed(
            [
                f"{row.ratio:.2f} × at {row.where}{f' ({UNCLEAR})' if row.verdict == UNCLEAR else ''}"
                for row in rows.itertuples(index=False)
            ]
        )
        said.append(f"Relative to {without}, a training step of {given} takes {ratios}.")
    columns = (
        *WHERE,
        Column("without", "without", word("without"), words=True),
        Column("with", "with", word("implementation"), words=True),
        Column("ratio", "time, × without [95 %]", ratio()),
        VERDICT,
    )
    return Answer(change.title, " ".join(said), columns, _in_order(compared))


def _best(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the row of the least value in each track of each benchmark."""
    return rows.loc[rows.groupby([*BENCHMARK, "track"], sort=False, observed=True)[column].idxmin()]


def _jax(asked: pd.DataFrame, baseline: str) -> Iterator[Answer]:
    """Yield where a JAX or Flax implementation is faster than the baseline, if the baseline is none of them."""
    jax = asked[asked["versions"].astype(str).str.split(" ").str[0].isin(XLA_FRAMEWORKS)]
    measured = jax[jax["ratio"].notna()]
    if measured.empty or baseline in set(jax["implementation"]):
        return
    steps = _training(measured)
    said = []
    faster = steps[steps["verdict"] == FASTER].groupby("where", sort=False)["implementation"].agg(list)
    if len(faster):
        where = listed([f"{problem} ({', '.join(names)})" for problem, names in faster.items()])
        said.append(f"In a training step JAX is faster than {baseline} at {where}.")
    elif len(steps):
        said.append(f"In no training step is JAX clearly faster than {baseline}.")
    slower = steps.groupby("where", sort=False)["verdict"].agg(lambda words: set(words) == {SLOWER}).astype(bool)
    if slower.any():
        said.append(
            f"All of its implementations are slower at {listed([str(where) for where in slower.index[slower]])}."
        )
    missing = set(_training(jax)["where"]) - set(steps["where"])
    if missing:
        said.append(f"It was not measured at {listed(sorted(missing))}.")
    columns = (
        *WHERE,
        Column("track", "track", word("track"), words=True),
        Column("best", "best JAX or Flax", word("implementation"), words=True),
        Column("ratio", f"time, × {baseline} [95 %]", ratio()),
        VERDICT,
    )
    yield Answer(f"Where does JAX beat {baseline}?", " ".join(said), columns, _in_order(_best(measured, "ratio")))


def _floor(sound: pd.DataFrame) -> Iterator[Answer]:
    """Yield how many times the floor's time the best implementation of each track takes."""
    known = sound[sound["floor_ratio"].notna() & (sound["track"] != FLOOR)]
    if known.empty:
        return
    best = _best(known, "floor_ratio")
    said = ["The floor is only the matrix products that every LSTM needs."]
    steps = _training(best)
    if len(steps):
        nearest = steps.loc[steps.groupby("where", sort=False)["floor_ratio"].idxmin()]
        ratios = [f"{row.floor_ratio:.2f} × at {row.where} ({row.implementation})" for row in nearest.itertuples()]
        said.append(f"The best training step takes {listed(ratios)}.")
    if (best["floor_ratio_high"] < 1).any():
        said.append("Where the whole interval is below 1 ×, there are faster products for that size than the floor's.")
    columns = (
        *WHERE,
        Column("track", "track", word("track"), words=True),
        Column("nearest", "nearest", word("implementation"), words=True),
        Column("ratio", "time, × floor [95 %]", ratio("floor_ratio")),
        Column("peak", "% of peak", lambda row: formatting.share(row.peak_share)),
    )
    yield Answer("How far is each from the floor?", " ".join(said), columns, _in_order(best))
