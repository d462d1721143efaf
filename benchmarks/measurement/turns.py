"""Who runs when: the order of turns inside a block, and one block of turns."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil

T = TypeVar("T")
PRESSURE = Path("/proc/pressure/cpu")


def mirrored(arms: Sequence[T], rng: random.Random) -> list[T]:
    """A random order, then the same backwards: A B C C B A. A drift that is linear in time cancels."""
    order = list(arms)
    rng.shuffle(order)
    return order + order[::-1]


def steal_seconds() -> float:
    """Seconds that the hypervisor has taken from this machine's processors since it started."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def pressure_seconds() -> float:
    """Seconds in which something waited for a processor of this machine, since it started; NaN where not told."""
    try:
        return int(PRESSURE.read_text().partition("total=")[2].split()[0]) / 1e6
    except (OSError, ValueError, IndexError):
        return math.nan


def take(block: int, position: int, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """One turn of one arm, as a record keeps it."""
    started, steal, pressure = time.time(), steal_seconds(), pressure_seconds()
    answer = ask()
    return {
        "block": block,
        "position": position,
        "started": started,
        "seconds": statistics.median(answer["samples"]),
        **answer,
        "steal_seconds": steal_seconds() - steal,
        "pressure_seconds": pressure_seconds() - pressure,
    }
