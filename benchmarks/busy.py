"""Whether the machine was busy while something was measured, and the words for it."""

import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from benchmarks.record import Record
from benchmarks.words import share

BUSY = 0.3
"""From this share of the measured time on, in which a process waited for a processor, reports warn that it was busy.

On quiet machines it was 0.00 to 0.08, beside two busy processes 1.00.
"""


def waited_of(records: Iterable[Record]) -> float:
    """Return the share of the measured time in which a process waited for a processor; NaN where it is not known.

    It is that of the implementation with the least, since some have more threads than processors.
    """
    seconds: defaultdict[str, np.ndarray] = defaultdict(lambda: np.zeros(2))
    for row in records:
        for turn in row.turns or ():
            if turn.pressure_seconds is not None:
                seconds[row.implementation] += (turn.pressure_seconds, turn.outside_seconds)
    shares = [pressure / outside for pressure, outside in seconds.values()]
    return min(shares, default=math.nan)


def warning(waited: float, unsteady: bool = False) -> str:
    """Return what to tell of a busy or unsteady machine; empty where it was neither."""
    busy = waited > BUSY
    if not (busy or unsteady):
        return ""
    why = f" (a process waited for a processor in {share(waited)} of the time)" if busy else ""
    return f"THE MACHINE WAS BUSY OR UNSTEADY{why}: measure again before you believe this"
