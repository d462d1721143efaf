"""The rows of a replicate before they are measured."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.record import Record
from benchmarks.runner import plausible
from benchmarks.runner.arm import ArmFailed


def below_floor(rows: Sequence[Record]) -> list[tuple[Record, ArmFailed]]:
    """Return the rows of a replicate whose time cannot be true beside the floor's quickest, each with its failure."""
    floors = {row.benchmark: _least(row) for row in rows if row.implementation == "floor"}
    reasons = [(row, plausible.below_floor(row.seconds, floors.get(row.benchmark))) for row in rows]
    return [(row, ArmFailed("error", reason)) for row, reason in reasons if reason and row.status == "ok"]


def _least(row: Record) -> float | None:
    """Return the seconds of a row's quickest sample: on a disturbed machine, the median may be twenty times as long."""
    return min((min(turn.samples or [turn.seconds]) for turn in row.turns or ()), default=None)
