"""Turns: their order in a block, and what the machine did during each."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.runner import cards
from benchmarks.runner.cards import Reading
from benchmarks.worker.timing import Turn

T = TypeVar("T")
PRESSURE = Path("/proc/pressure/cpu")


def mirrored(arms: Sequence[T], rng: random.Random) -> list[T]:
    """Return the arms in a random order, then backwards: A B C C B A. A drift that is linear in time cancels."""
    order = list(arms)
    rng.shuffle(order)
    return order + order[::-1]


def steal_seconds() -> float:
    """Return the seconds that the hypervisor has taken from the machine's processors since it started."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def pressure_seconds() -> float | None:
    """Return the seconds since the machine started in which a process waited for a processor; None where unknown."""
    try:
        return int(PRESSURE.read_text().partition("total=")[2].split()[0]) / 1e6
    except (OSError, ValueError, IndexError):
        return None


def take(block: int, position: int, ask: Callable[[], Turn], read_card: Callable[[], Reading] | None = None) -> Turn:
    """Let an arm take a turn, and fill in its block, position and start, and what the machine did meanwhile.

    Args:
        block, position: where in the replicate the turn is.
        ask: takes the turn.
        read_card: reads the GPU, where there is one whose driver can be asked.
    """
    card = read_card() if read_card else None
    started, steal, pressure = time.time(), steal_seconds(), pressure_seconds()
    turn = ask()
    turn.block, turn.position, turn.started = block, position, started
    turn.steal_seconds = steal_seconds() - steal
    after = pressure_seconds()
    turn.pressure_seconds = None if after is None or pressure is None else after - pressure
    if read_card and card:
        cards.note(turn, card, read_card())
    return turn
