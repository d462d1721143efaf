"""The answer in one sentence: who takes least time in each track, at a whole training step or at what there is."""

from __future__ import annotations

import pandas as pd

from benchmarks.record import HARMLESS
from reports.frames import Run
from reports.ranking import FASTEST, TIED
from reports.verdict import FLOOR

WANTED = (("workload", "sequence"), ("mode", "train_step"))
TRACKS = (("default", "of the default ones"), ("tuned", "of the tuned ones"))


def headline(run: Run, summary: pd.DataFrame) -> str:
    """A sentence on one workload and mode, over all of the run's problems."""
    asked = summary[summary["track"] != FLOOR]
    if not (asked["status"] == "ok").any():
        return "Nothing could be timed in this run: the tables say why."
    for column, wanted in (*WANTED, ("device", None)):
        sound = asked[asked["status"] == "ok"]
        asked = asked[asked[column] == (wanted if wanted in set(sound[column]) else sound[column].iloc[0])]
    rows = asked[asked["status"] == "ok"]
    device, machine = str(rows["device"].iloc[0]), run.environment["machine"]
    where = (machine.get("gpu") or device) if device == "cuda" else machine["cpu"]
    said = []
    for track, words in TRACKS:
        mine = rows[rows["track"] == track]
        if len(mine):
            said.append(f"{words} {_winners(mine)}")
    workload, mode = rows.iloc[0][["workload", "mode"]]
    sentence = "; ".join(said) or _winners(rows)
    failed = sorted(set(asked.loc[~asked["status"].isin(HARMLESS), "implementation"].astype(str)))
    but = f" ({_and(failed)} failed; the tables say where.)" if failed else ""
    return f"{str(workload).capitalize()}, {str(mode).replace('_', ' ')}, on {where}: {sentence}.{but}"


def _winners(rows: pd.DataFrame) -> str:
    """Such as `torch_lstm is fastest at 3 of 4 problems and tied at 1`: who is fastest anywhere, else who is tied."""
    rivals = rows.groupby("problem")["implementation"].transform("size")
    if (rivals == 1).all():
        return f"there is only {_and(sorted(set(rows['implementation'])))}"
    rows = rows[rivals > 1]
    problems = rows["problem"].nunique()
    fastest, tied = (rows.loc[rows["place"] == word, "implementation"].value_counts() for word in (FASTEST, TIED))
    if fastest.empty and tied.empty:
        return "nobody is known to be fastest"
    if fastest.empty:
        most = sorted(tied.index[tied == tied.max()])
        return f"nobody is fastest alone: {_and(most)} tied at {_of(int(tied.max()), problems)}"
    return _and(
        [
            f"{name} is fastest at {_of(count, problems)}" + (f" and tied at {tied.get(name)}" if name in tied else "")
            for name, count in fastest.to_dict().items()
        ]
    )


def _of(count: int, problems: int) -> str:
    if problems == 1:
        return "the one problem"
    return f"all {problems} problems" if count == problems else f"{count} of {problems} problems"


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
