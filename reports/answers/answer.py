"""What an answer is, and what the answers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmarks.columns import Column
from reports.columns import word

MODES = ("forward", "train_step")
WORKLOAD = "sequence"
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
