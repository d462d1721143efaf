"""Turns: their order in a block, and what the runner and the machine saw during each."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.runner import cards
from benchmarks.runner.arm import Arm, ArmFailed
from benchmarks.runner.cards import Reading
from benchmarks.worker.requests import TakeTurn
from benchmarks.worker.timing import Turn

T = TypeVar("T")
PRESSURE = Path("/proc/pressure/cpu")


def mirrored(arms: Sequence[T], rng: random.Random) -> list[T]:
    """Return the arms in a random order, then backwards: A B C C B A. A drift that is linear in time cancels."""
    order = list(arms)
    rng.shuffle(order)
    return order + order[::-1]


def pressure_seconds() -> float | None:
    """Return the seconds since the machine started in which a process waited for a processor; None where unknown."""
    try:
        return int(PRESSURE.read_text().partition("total=")[2].split()[0]) / 1e6
    except (OSError, ValueError, IndexError):
        return None


def take(
    arm: Arm, request: TakeTurn, block: int = 0, position: int = 0, read_card: Callable[[], Reading] | None = None
) -> Turn:
    """Let an arm take a turn, and fill in where and when that was, and what was seen meanwhile.

    The arm is stopped afterwards, except where the turn's result was read and is to be compared.

    Raises:
        ArmFailed: where the turn cannot be taken, or the arm took more than it was given.
    """
    helpers = arm.watch.helpers() if request.read else {}
    card = read_card() if read_card else None
    started, steal, pressure = time.time(), psutil.cpu_times().steal, pressure_seconds()
    start, cpu = time.perf_counter(), arm.watch.cpu_seconds()
    taken = arm.ask(request, stop=not request.read)
    turn = taken.turn
    turn.outside_cpu_seconds = arm.watch.cpu_seconds() - cpu  # within what follows, however long this process waits
    turn.outside_seconds = time.perf_counter() - start
    turn.block, turn.position, turn.started = block, position, started
    turn.steal_seconds = psutil.cpu_times().steal - steal
    after = pressure_seconds()
    turn.pressure_seconds = None if after is None or pressure is None else after - pressure
    if read_card and card:
        cards.note(turn, card, read_card())
    arm.check_from_outside(taken.threads)
    if request.read and (reason := arm.watch.busy_helper(helpers, turn.outside_seconds)):
        raise ArmFailed("error", reason)
    return turn
