"""The same LSTM on each processor: the section of index.html that sets machines side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from benchmarks.cases import PUBLISHED
from benchmarks.tables import Column
from benchmarks.words import time_with_interval
from reports import selection
from reports.machines import Machine
from reports.preamble import torch_and_jax
from reports.report import PURPOSES
from reports.tables import words_of
from reports.verdict import BASELINE


@dataclass(frozen=True)
class SideBySide:
    """The baseline's times on several machines: a sentence, and the columns and rows of a table."""

    sentence: str
    columns: Sequence[Column]
    rows: Sequence[Any]


def side_by_side(machines: Sequence[Machine]) -> SideBySide | None:
    """Return the times of the first machine's baseline at the published shapes; None of a single machine."""
    baseline = machines[0].head.baseline
    times = []
    for number, machine in enumerate(machines):
        rows = selection.sequences(machine.runs)
        rows = rows[(rows["verdict"] == BASELINE) & rows["problem"].isin(PUBLISHED)]
        times.append(rows[rows["implementation"] == baseline].assign(machine=number))
    every = pd.concat(times)
    where = ["problem", "mode", "device"]
    shared = every.groupby(where, sort=False).filter(lambda rows: len(rows) > 1)
    if shared.empty:
        return None
    contests = []
    spreads = []
    for key, rows in shared.groupby(where, sort=False):
        problem, mode, _ = map(str, key)
        by_machine = rows.set_index("machine")
        spreads.append(rows["seconds"].max() / rows["seconds"].min())
        contests.append(Contest(problem, PURPOSES[mode].lower(), by_machine))
    sentence = (
        f"Between these processors, {baseline}'s time at the same shape differs up to {max(spreads):.1f} times."
        f" Which LSTM is faster can differ too: choose the machine above. {_releases(machines)}"
    )
    of_machines = []
    for number, machine in enumerate(machines):
        time = partial(Contest.time_on, machine=number)
        of_machines.append(Column(f"machine-{number}", machine.label, time))
    columns = [words_of("problem"), words_of("purpose", "for"), *of_machines]
    return SideBySide(sentence, columns, contests)


@dataclass(frozen=True, eq=False)
class Contest:
    """A shape and a purpose, and the baseline's rows there by the number of their machine."""

    problem: str
    purpose: str
    rows: pd.DataFrame

    def time_on(self, machine: int) -> str:
        """Return the time on a machine, with its interval."""
        if machine not in self.rows.index:
            return "–"
        row: Any = self.rows.loc[machine]
        return time_with_interval(row["seconds"], row["seconds_low"], row["seconds_high"])


def _releases(machines: Sequence[Machine]) -> str:
    """Return which releases were measured on each machine, where these differ."""
    of_each = {machine.label: torch_and_jax(machine.head.run) for machine in machines}
    if len({*of_each.values()}) == 1:
        return ""
    return "; ".join(f"{label}: {releases}" for label, releases in of_each.items()) + "."
