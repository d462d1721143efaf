"""The answer in a sentence: the fastest implementation of each track, at a whole training step if the run has it."""

from __future__ import annotations

import pandas as pd

from benchmarks.record import harmless
from benchmarks.words import listed
from reports.frames import Run
from reports.ranking import YES
from reports.tracks import TRACKS
from reports.verdict import UNCLEAR

WANTED = (("workload", "sequence"), ("mode", "train_step"), ("device", None))
"""What the sentence is about; where the run has no time for it, the first that it has one for."""


def subject(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the workload, mode and device that the headline is about; none where nothing has a time."""
    asked = summary
    for column, wanted in WANTED:
        sound = asked[asked["status"] == "ok"]
        if sound.empty:
            return sound
        asked = asked[asked[column] == (wanted if wanted in set(sound[column]) else sound[column].iloc[0])]
    return asked


def headline(run: Run, summary: pd.DataFrame) -> str:
    """Return a few sentences on one workload and mode, over all of the run's problems."""
    asked = subject(summary)
    if asked.empty:
        return "Nothing could be timed in this run: the tables say why."
    rows = asked[asked["status"] == "ok"]
    workload, mode, device = rows.iloc[0][["workload", "mode", "device"]].astype(str)
    machine = run.metadata.machine
    where = (machine.gpu or device) if device == "cuda" else machine.cpu
    sentences = [f"{workload.capitalize()}, {mode.replace('_', ' ')}, on {where}."]
    for track, known in TRACKS.items():
        mine = rows[rows["track"] == track]
        if len(mine):
            sentences.append(f"{known.short.capitalize()}: {_fastest(mine)}.")
    if len(sentences) == 1:  # no track is known
        sentences.append(f"All implementations: {_fastest(rows)}.")
    failed = sorted(set(asked.loc[~asked["status"].isin(harmless(machine.gpu)), "implementation"].astype(str)))
    if failed:
        sentences.append(f"{listed(failed)} failed: the tables say where.")
    return " ".join(sentences)


def _fastest(rows: pd.DataFrame) -> str:
    """Return such as `torch_lstm is fastest at 2 of 3 problems; at the other it is unclear (a or b)`."""
    rivals = rows.groupby("problem")["implementation"].transform("size")
    if (rivals == 1).all():
        return f"there is only {listed(sorted(set(rows['implementation'])))}"
    rows = rows[rivals > 1]
    problems = rows["problem"].nunique()
    fastest = rows[rows["fastest"] == YES]
    wins = fastest["implementation"].value_counts().to_dict()
    undecided = problems - fastest["problem"].nunique()
    said = [f"{name} is fastest at {_of(number, problems)}" for name, number in wins.items()]
    if not undecided:
        return listed(said)
    names = sorted(set(rows.loc[rows["fastest"] == UNCLEAR, "implementation"].astype(str)))
    which = f" ({listed(names, 'or')})" if names else ""
    if not said:
        return f"the fastest is {UNCLEAR} at {_of(undecided, problems)}{which}"
    rest = "the other" if undecided == 1 else f"the other {undecided}"
    return f"{listed(said)}; at {rest} it is {UNCLEAR}{which}"


def _of(number: int, problems: int) -> str:
    if problems == 1:
        return "the one problem"
    return f"all {problems} problems" if number == problems else f"{number} of {problems} problems"
