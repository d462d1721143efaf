"""What rows of different lengths cost, relative to the same problem whose rows are all as long as seq_len."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmarks.tables import Column
from benchmarks.words import listed
from reports.estimates import intervals
from reports.frames import ARM, plain
from reports.report import Answer, Report, in_order, training
from reports.tables import WHERE, ratio, words_of
from reports.verdict import FASTER

SECTION, ORDER = "more", 60
SUFFIX = "-var"


def make(report: Report) -> Iterator[Answer]:
    """Yield the ratios of the times with lengths to those without.

    The two are benchmarks of their own, which do not take turns with each other. So a ratio is taken between the times
    of a replicate, and its interval is wider than that of a ratio inside a block.
    """
    sound = report.sound
    seconds = plain(report.run.records[[*ARM, "replicate", "seconds"]]).merge(plain(sound[ARM]))
    same = seconds["problem"].str.replace(SUFFIX, "")
    both = seconds[same != seconds["problem"]].assign(same=same)
    both = both.merge(
        seconds,
        left_on=["same", *ARM[1:], "replicate"],
        right_on=["problem", *ARM[1:], "replicate"],
        suffixes=("", "_without"),
    )
    both["log"] = np.log(both["seconds"] / both["seconds_without"])
    groups = both.groupby(ARM, sort=False)["log"].agg(np.asarray)
    if groups.empty:
        return
    costs = intervals(list(groups)).set_axis(groups.index).add_prefix("cost_").rename(columns={"cost_value": "cost"})
    compared = sound.merge(costs.reset_index(), on=ARM)
    steps = training(compared)
    said = [
        f"A training step of {name} takes {_at(rows, 'cost')}."
        for name, rows in steps.groupby("implementation", sort=False, observed=True)
    ]
    said += [
        f"Relative to {report.baseline} with the same lengths, a training step of {name} takes {_at(rows, 'ratio')}."
        for name, rows in steps[steps["verdict"] == FASTER].groupby("implementation", sort=False, observed=True)
    ]
    columns = (
        *WHERE,
        words_of("implementation"),
        Column("cost", "time, × without lengths [95 %]", ratio("cost")),
    )
    yield Answer("What do rows of different lengths cost?", " ".join(said), columns, in_order(compared))


def _at(rows: pd.DataFrame, number: str) -> str:
    return listed([f"{value:.2f} × at {where}" for value, where in zip(rows[number], rows["where"], strict=True)])
