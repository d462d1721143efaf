"""What rows of different lengths cost, relative to the same problem whose rows are all as long as seq_len."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmarks.tables import Column
from benchmarks.words import listed
from reports.estimates import intervals
from reports.frames import ARM, plain
from reports.report import WHERE, Answer, Report, by_implementation, in_order, training
from reports.tables import ratio, words_of
from reports.verdict import FASTER

SECTION, ORDER = "more", 60
SUFFIX = "-var"


def make(report: Report) -> Iterator[Answer]:
    """Yield the ratios of the times with lengths to those without.

    The two are benchmarks of their own, which do not take turns with each other. So a ratio is taken between the times
    of a replicate, and its interval is wider than that of a ratio inside a block.
    """
    records, sound = report.run.records, report.sound
    without = {text: text.replace(SUFFIX, "") for text in map(str, sound["problem"].unique()) if SUFFIX in text}
    if not without:
        return
    asked = records["problem"].isin([*without, *without.values()])
    seconds = plain(records.loc[asked, [*ARM, "replicate", "seconds"]]).dropna()
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
    for name, rows in by_implementation(training(compared)):
        costs = listed([f"{row.cost:.2f} × at {row.where}" for row in rows.itertuples(index=False)])
        said.append(f"A training step of {name} takes {costs}.")
    said += _beside(report.baseline, compared)
    columns = (
        *WHERE,
        words_of("implementation"),
        Column("cost", "time, × without lengths [95 %]", ratio("cost")),
    )
    yield Answer("What do rows of different lengths cost?", " ".join(said), columns, in_order(compared))


def _beside(baseline: str, compared: pd.DataFrame) -> Iterator[str]:
    """Yield what trains clearly faster than the baseline where both have lengths."""
    steps = training(compared)
    for name, rows in by_implementation(steps[steps["verdict"] == FASTER]):
        ratios = listed([f"{row.ratio:.2f} × at {row.where}" for row in rows.itertuples(index=False)])
        yield f"Relative to {baseline} with the same lengths, a training step of {name} takes {ratios}."
