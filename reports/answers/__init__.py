"""Questions that a run answers, each in a few sentences with the table behind them."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from reports.answers import best, changes, elsewhere, growth, lengths
from reports.answers.answer import Answer, asked_of
from reports.frames import Run

__all__ = ["Answer", "answers"]


def answers(run: Run, summary: pd.DataFrame) -> Iterator[Answer]:
    """Yield an Answer for each question that the run answers; an arm that failed is left out."""
    asked = asked_of(summary)
    sound = asked[asked["status"] == "ok"]
    yield from changes.changes(run, sound)
    yield from growth.growth(run, sound)
    yield from lengths.lengths(run, sound)
    yield from elsewhere.elsewhere(run, sound)
    yield from best.jax(asked, run.baseline)
    yield from best.floor(sound)
