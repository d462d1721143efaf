"""Where a JAX implementation beats the baseline, and how far each track is from the floor."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from benchmarks.columns import Column
from benchmarks.words import listed
from reports import formatting
from reports.answers.answer import VERDICT, WHERE, Answer, in_order, training
from reports.columns import ratio, word
from reports.frames import BENCHMARK
from reports.tracks import FLOOR
from reports.verdict import FASTER, SLOWER

NAMED = 6
"""The most problems that a sentence names one by one."""
XLA_FRAMEWORKS = ("jax", "flax")
"""The frameworks that run on XLA, by the first word of `versions`."""


def _best(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the row of the least value in each track of each benchmark."""
    return rows.loc[rows.groupby([*BENCHMARK, "track"], sort=False, observed=True)[column].idxmin()]


def jax(asked: pd.DataFrame, baseline: str) -> Iterator[Answer]:
    """Yield where a JAX or Flax implementation is faster than the baseline, if the baseline is none of them."""
    jax = asked[asked["versions"].astype(str).str.split(" ").str[0].isin(XLA_FRAMEWORKS)]
    measured = jax[jax["ratio"].notna()]
    if measured.empty or baseline in set(jax["implementation"]):
        return
    steps = training(measured)
    said = []
    faster = steps[steps["verdict"] == FASTER].groupby("where", sort=False)["implementation"].agg(list)
    if len(faster):
        where = listed([f"{problem} ({', '.join(names)})" for problem, names in faster.items()])
        said.append(f"In a training step JAX is faster than {baseline} at {where}.")
    elif len(steps):
        said.append(f"In no training step is JAX clearly faster than {baseline}.")
    slower = steps.groupby("where", sort=False)["verdict"].agg(lambda words: set(words) == {SLOWER}).astype(bool)
    if slower.any():
        places = [str(place) for place in slower.index[slower]]
        named = listed(places) if len(places) <= NAMED else f"{len(places)} of {len(slower)} problems"
        said.append(f"All of its implementations are slower at {named}.")
    missing = set(training(jax)["where"]) - set(steps["where"])
    if missing:
        said.append(f"It was not measured at {listed(sorted(missing))}.")
    columns = (
        *WHERE,
        Column("track", "track", word("track"), words=True),
        Column("best", "best JAX or Flax", word("implementation"), words=True),
        Column("ratio", f"time, × {baseline} [95 %]", ratio()),
        VERDICT,
    )
    yield Answer(f"Where does JAX beat {baseline}?", " ".join(said), columns, in_order(_best(measured, "ratio")))


def floor(sound: pd.DataFrame) -> Iterator[Answer]:
    """Yield how many times the floor's time the best implementation of each track takes."""
    known = sound[sound["floor_ratio"].notna() & (sound["track"] != FLOOR)]
    if known.empty:
        return
    best = _best(known, "floor_ratio")
    said = ["The floor is only the matrix products that every LSTM needs."]
    steps = training(best)
    if len(steps):
        nearest = steps.loc[steps.groupby("where", sort=False)["floor_ratio"].idxmin()]
        many = len(nearest) > NAMED
        named = nearest.sort_values("floor_ratio").iloc[[0, -1]] if many else nearest
        ratios = [f"{row.floor_ratio:.2f} × at {row.where} ({row.implementation})" for row in named.itertuples()]
        said.append(f"The best training step takes {' to '.join(ratios) if many else listed(ratios)}.")
    if (best["floor_ratio_high"] < 1).any():
        said.append("Where the whole interval is below 1 ×, there are faster products for that size than the floor's.")
    columns = (
        *WHERE,
        Column("track", "track", word("track"), words=True),
        Column("nearest", "nearest", word("implementation"), words=True),
        Column("ratio", "time, × floor [95 %]", ratio("floor_ratio")),
        Column("peak", "% of peak", lambda row: formatting.share(row.peak_share)),
    )
    yield Answer("How far is each from the floor?", " ".join(said), columns, in_order(best))
