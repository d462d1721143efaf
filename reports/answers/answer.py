"""What an answer is, and what the answers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmarks.columns import Column
from reports.columns import word
from reports.estimates import Blocks
from reports.frames import ARM, Run
from reports.recommendation import WORKLOAD

MODES = ("forward", "train_step")
TIMES = ["seconds", "seconds_low", "seconds_high"]
WHERE = tuple(Column(name, name, word(name), words=True) for name in ("problem", "mode", "device"))
VERDICT = Column("verdict", "verdict", word("verdict"), words=True)


@dataclass(frozen=True)
class Answer:
    """A question, its answer in a few sentences, and the table behind it."""

    title: str
    sentence: str
    columns: Sequence[Column]
    rows: Sequence[Any]


def asked_of(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that answers are about, with their place in the run's order and the name of their problem."""
    asked = summary[(summary["workload"] == WORKLOAD) & summary["mode"].isin(MODES)]
    order = {problem: k for k, problem in enumerate(dict.fromkeys(summary["problem"].astype(str)))}
    return asked.assign(position=asked["problem"].astype(str).map(order), where=_where(asked))


def _where(rows: pd.DataFrame) -> pd.Series:
    """Return the name of each row's problem, with the device where there are several."""
    problem = rows["problem"].astype(str)
    return problem if rows["device"].nunique() < 2 else problem + " on " + rows["device"].astype(str)


def training(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of whole training steps."""
    return rows[rows["mode"] == "train_step"]


def in_order(rows: pd.DataFrame) -> list[Any]:
    """Return rows by problem, in the run's order, then by mode."""
    return list(rows.sort_values(["position", "mode"], kind="stable").itertuples(index=False))


def pair_ratios(run: Run, sound: pd.DataFrame, compared: pd.DataFrame, other: str) -> pd.DataFrame:
    """Return rows with the ratio of their implementation's time to that of another, as Blocks.ratios has it.

    Args:
        run: the run.
        sound: the rows of its summary that have a time.
        compared: rows with an ARM that has a time.
        other: the column with the other implementation. Rows whose other one has no time are left out.
    """
    others = compared.assign(implementation=compared[other])[ARM]
    both = pd.MultiIndex.from_frame(others).isin(pd.MultiIndex.from_frame(sound[ARM]))
    compared, others = compared[both], others[both]
    if compared.empty:
        return compared
    arms = pd.MultiIndex.from_frame(run.records[ARM].astype(str))
    wanted = pd.MultiIndex.from_frame(pd.concat([compared[ARM], others]))
    ratios = Blocks(run.turns, run.records[arms.isin(wanted)]).ratios(compared[ARM], others)
    return pd.concat([compared, ratios], axis=1)[ratios["ratio"].notna()]
