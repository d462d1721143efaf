"""Where a JAX implementation beats the baseline."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.tables import Column
from benchmarks.words import listed
from reports.report import NAMED, Answer, Report, best, in_order, training
from reports.tables import WHERE, ratio, words_of
from reports.verdict import FASTER, SLOWER

SECTION, ORDER = "more", 61
XLA_FRAMEWORKS = ("jax", "flax")
"""The frameworks that run on XLA, by the first word of `versions`."""


def make(report: Report) -> Iterator[Answer]:
    """Yield where a JAX or Flax implementation is faster than the baseline, if the baseline is none of them."""
    asked, baseline = report.asked, report.baseline
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
        words_of("track"),
        words_of("implementation", "best JAX or Flax"),
        Column("ratio", f"time, × {baseline} [95 %]", ratio()),
        words_of("verdict"),
    )
    yield Answer(f"Where does JAX beat {baseline}?", " ".join(said), columns, in_order(best(measured, "ratio")))
