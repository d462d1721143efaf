"""Gates that were measured, not replayed: what each should find, and what it called slower.

measuring.py runs them. This file is also read where nothing can be measured, for the published tables.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks import json_files
from benchmarks.tables import markdown_table
from benchmarks.words import markdown_cell, span

SAME = "same"
KINDS = {SAME: 0.0, "+2%": 0.02, "+3%": 0.03}
"""What is measured, with the injected slowdown; older calibrations have gates with background load, too."""


class RealGate(msgspec.Struct, kw_only=True):
    """A real gate.

    kind: one of KINDS.
    slowed: the slowed benchmark; empty for the same code.
    worse: each regression: the benchmark, and the metric or `agreement`.
    machine: the processor, in words.
    benchmarks: how many were compared.
    unclear: benchmarks that were neither slower, faster nor same, by time.
    """

    kind: str
    slowed: str
    exit_code: int
    worse: list[tuple[str, str]]
    seconds: float
    date: str
    machine: str = ""
    benchmarks: int = 0
    unclear: list[str] = []

    @property
    def right(self) -> bool:
        """Whether it names what is slowed, and nothing else."""
        if not self.slowed:
            return self.exit_code == 0
        return self.exit_code == 1 and set(self.worse) == {(self.slowed, "time")}


def gates_of(folder: Path) -> list[RealGate]:
    """Return the real gates that a folder holds, the oldest first."""
    return [json_files.read(path, RealGate) for path in sorted((folder / "gates").glob("*.json"))]


def gates_summed_up(gates: Sequence[RealGate]) -> str:
    """Return a table of real gates by kind, under the machines and dates of each."""
    days: dict[str, set[str]] = defaultdict(set)
    kinds: dict[str, list[RealGate]] = {kind: [] for kind in KINDS}
    for gate in gates:
        days[gate.machine or "unknown"].add(gate.date)
        kinds.setdefault(gate.kind, []).append(gate)
    where = "; ".join(f"{name}, {span(sorted(dates))}" for name, dates in days.items())
    rows = []
    for kind, of_kind in kinds.items():
        if of_kind:
            unclear = sum(len(gate.unclear) for gate in of_kind)
            compared = sum(gate.benchmarks for gate in of_kind)
            rows.append([kind, *right_and_minutes(of_kind), f"{unclear} of {compared}"])
    header = ["real gates", "right", "mean minutes", "longest", "benchmarks left unclear"]
    about = f"Real gates: {markdown_cell(where)}. Minutes without building environments."
    return f"{about}\n\n{markdown_table(rows, header, numbers=True)}"


def right_and_minutes(gates: Sequence[RealGate]) -> tuple[str, str, str]:
    """Return of some gates, at least one, how many were right, and the minutes that they took: on average, at most."""
    minutes = [gate.seconds / 60 for gate in gates]
    right = f"{sum(gate.right for gate in gates)} of {len(gates)}"
    return right, f"{sum(minutes) / len(minutes):.1f}", f"{max(minutes):.1f}"
