"""One turn of one arm: the order of turns in a block, and what the machine did meanwhile."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.measurement.timing import Turn

T = TypeVar("T")
PRESSURE = Path("/proc/pressure/cpu")


def mirrored(arms: Sequence[T], rng: random.Random) -> list[T]:
    """A random order, then the same backwards: A B C C B A. A drift that is linear in time cancels."""
    order = list(arms)
    rng.shuffle(order)
    return order + order[::-1]


def steal_seconds() -> float:
    """Seconds that the hypervisor has taken from this machine's processors since the machine started."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def pressure_seconds() -> float | None:
    """Seconds in which something waited for a processor since the machine started; None where it does not say."""
    try:
        return int(PRESSURE.read_text().partition("total=")[2].split()[0]) / 1e6
    except (OSError, ValueError, IndexError):
        return None


def take(block: int, position: int, ask: Callable[[], Turn]) -> Turn:
    """Have an arm take a turn, and fill in when it was and what the machine did meanwhile."""
    started, steal, pressure = time.time(), steal_seconds(), pressure_seconds()
    turn = ask()
    turn.block, turn.position, turn.started = block, position, started
    turn.steal_seconds = steal_seconds() - steal
    after = pressure_seconds()
    turn.pressure_seconds = None if after is None or pressure is None else after - pressure
    return turn
