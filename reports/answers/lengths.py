"""What rows of different lengths cost, relative to the same problem whose rows are all as long as seq_len."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmarks.columns import Column
from benchmarks.words import listed
from reports.answers.answer import WHERE, Answer, in_order, training
from reports.columns import ratio, word
from reports.estimates import intervals
from reports.frames import ARM, Run, plain
from reports.verdict import FASTER

SUFFIX = "-var"


def lengths(run: Run, sound: pd.DataFrame) -> Iterator[Answer]:
    """Yield the ratios of the times with lengths to those without.

    The two are benchmarks of their own, which do not take turns with each other. So a ratio is taken between the times
    of a replicate, and its interval is wider than that of a ratio inside a block.

    Args:
        run: the run.
        sound: the rows of its summary that answers are about and that have a time.
    """
    without = {text: text.replace(SUFFIX, "") for text in map(str, sound["problem"].unique()) if SUFFIX in text}
    if not without:
        return
    asked = run.records["problem"].isin([*without, *without.values()])
    seconds = plain(run.records.loc[asked, [*ARM, "replicate", "seconds"]]).dropna()
    varied = seconds[seconds["problem"].isin(without)].assign(same=lambda rows: rows["problem"].map(without))
    both = varied.merge(
        seconds,
        left_on=["same", *ARM[1:], "replicate"],
        right_on=["problem", *ARM[1:], "replicate"],
        suffixes=("", "_without"),
    )
    both["log"] = np.log(both["seconds"] / both["seconds_without"])
    groups = dict(list(both.groupby(ARM, sort=False)["log"]))
    if not groups:
        return
    found = intervals([logs.to_numpy(float) for logs in groups.values()]).add_prefix("cost_")
    found = found.rename(columns={"cost_value": "cost"})
    compared = sound.merge(pd.concat([pd.DataFrame(list(groups), columns=ARM), found], axis=1), on=ARM)
    said = []
    for name, rows in training(compared).groupby("implementation", sort=False, observed=True):
        costs = listed([f"{row.cost:.2f} × at {row.where}" for row in rows.itertuples(index=False)])
        said.append(f"A training step of {name} takes {costs}.")
    said += _beside(run.baseline, compared)
    columns = (
        *WHERE,
        Column("implementation", "implementation", word("implementation"), words=True),
        Column("cost", "time, × without lengths [95 %]", ratio("cost")),
    )
    yield Answer("What do rows of different lengths cost?", " ".join(said), columns, in_order(compared))


def _beside(baseline: str, compared: pd.DataFrame) -> Iterator[str]:
    """Yield what trains clearly faster than the baseline where both have lengths."""
    steps = training(compared)
    for name, rows in steps[steps["verdict"] == FASTER].groupby("implementation", sort=False, observed=True):
        ratios = listed([f"{row.ratio:.2f} × at {row.where}" for row in rows.itertuples(index=False)])
        yield f"Relative to {baseline} with the same lengths, a training step of {name} takes {ratios}."
