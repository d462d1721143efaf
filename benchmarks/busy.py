"""Whether the machine was busy while something was measured, and the words for it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from benchmarks.record import Record
from benchmarks.words import share

BUSY = 0.3
"""From this share of the measured time on, in which a process waited for a processor, reports warn that it was busy.

On quiet machines it was 0.00 to 0.08, beside two busy processes 1.00.
"""


def waited(
    implementations: np.ndarray, pressure_seconds: np.ndarray, outside_seconds: np.ndarray
) -> float:
    """Return the share of the measured time in which a process waited for a processor.

    It is that of the implementation with the least, since some have more threads than processors.

    Args:
        implementations, pressure_seconds, outside_seconds: of each turn. At least one, all of them known.
    """
    _, those = np.unique(implementations, return_inverse=True)
    shares = np.bincount(those, pressure_seconds) / np.bincount(those, outside_seconds)
    return float(shares.min())


def waited_of(records: Iterable[Record]) -> float:
    """Return the same of some records; NaN where it is not known."""
    turns = [(row.implementation, turn) for row in records for turn in row.turns or ()]
    known = [(name, turn) for name, turn in turns if turn.pressure_seconds is not None]
    if not known:
        return float("nan")
    names = [name for name, _ in known]
    pressure = [turn.pressure_seconds for _, turn in known]
    outside = [turn.outside_seconds for _, turn in known]
    return waited(np.array(names), np.array(pressure), np.array(outside))


def warning(waited: float, unsteady: bool = False) -> str:
    """Return what to tell of a busy or unsteady machine; empty where it was neither."""
    why = (
        f" (a process waited for a processor in {share(waited)} of the time)"
        if waited > BUSY
        else ""
    )
    return (
        f"THE MACHINE WAS BUSY OR UNSTEADY{why}: measure again before you believe this"
        if why or unsteady
        else ""
    )
