"""Questions that a run answers, each in a few sentences with the table behind them."""

from __future__ import annotations

import pandas as pd

from reports.answers import best, changes, directions, elsewhere, growth, lengths
from reports.answers.answer import Answer, asked_of
from reports.frames import Run

__all__ = ["Answer", "answers"]


def answers(run: Run, summary: pd.DataFrame) -> dict[str, list[Answer]]:
    """Return the answers to the questions that a run answers, by part of the page; an arm that failed is left out."""
    asked = asked_of(summary)
    sound = asked[asked["status"] == "ok"]
    return {
        "flips": list(growth.growth(run, sound)),
        "directions": list(directions.directions(sound)),
        "changes": list(changes.changes(run, sound)),
        "elsewhere": list(elsewhere.elsewhere(run, sound)),
        "more": [*lengths.lengths(run, sound), *best.jax(asked, run.baseline), *best.floor(sound)],
    }
