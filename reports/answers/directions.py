"""Where inference takes longer than a whole training step, which nobody expects."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from benchmarks.columns import Column
from benchmarks.words import listed
from reports import formatting
from reports.answers.answer import TIMES, Answer, training
from reports.columns import word
from reports.frames import ARM


def directions(sound: pd.DataFrame) -> Iterator[Answer]:
    """Yield the implementations whose forward's interval lies above that of their training step.

    Args:
        sound: the rows of a run's summary that answers are about and that have a time.
    """
    same = [name for name in ARM if name != "mode"]
    both = training(sound).merge(
        sound.loc[sound["mode"] == "forward", [*same, *TIMES]], on=same, suffixes=("", "_forward")
    )
    odd = both[both["seconds_low_forward"] > both["seconds_high"]].sort_values("position", kind="stable")
    if odd.empty:
        return
    said = [
        f"{listed(list(rows['implementation'].astype(str)))} at {where}"
        for where, rows in odd.groupby("where", sort=False)
    ]
    columns = (
        Column("problem", "problem", word("where"), words=True),
        Column("implementation", "implementation", word("implementation"), words=True),
        Column("forward", "forward [95 %]", lambda row: _time(row, "_forward")),
        Column("train_step", "train_step [95 %]", _time),
    )
    yield Answer(
        "Where does inference take longer than a training step?",
        f"Forward alone takes longer than forward and backward together in {listed(said)}.",
        columns,
        list(odd.itertuples(index=False)),
    )


def _time(row: object, suffix: str = "") -> str:
    return formatting.time_with_interval(*(float(getattr(row, name + suffix)) for name in TIMES))
