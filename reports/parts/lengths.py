"""What rows of different lengths cost, relative to the same problem whose rows are all as long as seq_len."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmarks.tables import Column
from reports.estimates import intervals, lasting
from reports.frames import ARM, KEY, plain
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
    seconds = plain(report.run.records[[*KEY, "seconds"]]).merge(plain(sound[ARM]))
    rest = [name for name in KEY if name != "problem"]
    same = seconds["problem"].str.replace(SUFFIX, "")
    both = seconds[same != seconds["problem"]].assign(same=same)
    both = both.merge(
        seconds,
        left_on=["same", *rest],
        right_on=["problem", *rest],
        suffixes=("", "_without"),
    )
    if both.empty:
        return
    logs, known = np.log((both["seconds"] / both["seconds_without"]).to_numpy()), lasting(report.run)
    number = both.groupby(ARM, sort=False).ngroup().to_numpy()
    costs = intervals(logs, number, both["run_id"].to_numpy(), known.ratio if known else None)
    costs = costs.add_prefix("cost_").rename(columns={"cost_value": "cost"})
    compared = sound.merge(pd.concat([both.drop_duplicates(ARM)[ARM].reset_index(drop=True), costs], axis=1), on=ARM)
    steps = training(compared)
    said, mine = [], steps[steps["implementation"] == report.baseline].sort_values("cost")
    if len(mine):
        most, where = mine[["cost", "where"]].iloc[-1]
        said.append(f"A training step of {report.baseline} takes up to {most:.1f} × its time without, at {where}.")
    faster = steps[steps["verdict"] == FASTER].sort_values("ratio")
    if len(faster):
        name, least = faster[["implementation", "ratio"]].iloc[0]
        said.append(f"There {name} takes as little as {least:.2f} × {report.baseline}'s time.")
    columns = (
        *WHERE,
        words_of("implementation"),
        Column("cost", "time, × without lengths [95 %]", ratio("cost")),
    )
    yield Answer("What do rows of different lengths cost?", " ".join(said), columns, in_order(compared))
