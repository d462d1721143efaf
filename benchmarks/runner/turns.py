"""Turns: their order in a block, what the runner and the machine saw during each, and the processors that they took."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.runner import outside
from benchmarks.runner.arm import Arm
from benchmarks.runner.sides import ArmFailed
from benchmarks.worker.requests import TakeTurn
from benchmarks.worker.timing import Turn

T = TypeVar("T")
PRESSURE = Path("/proc/pressure/cpu")
MORE_CORES = 0.1
"""The cores that may be used beyond those that were given: the clocks of time and of processor time differ."""


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


def take(arm: Arm, request: TakeTurn) -> Turn:
    """Let an arm take a turn, and fill in when that was, and what was seen meanwhile; ArmFailed where it took too much.

    The arm is stopped afterwards, except where the turn's result was read and is to be compared.
    """
    started, steal, pressure = time.time(), psutil.cpu_times().steal, pressure_seconds()
    start, cpu = time.perf_counter(), outside.cpu_seconds(arm.pid)
    taken = arm.ask(request, stop=not request.read)
    turn = taken.turn
    turn.started = started
    # within the seconds that follow, however long this process waits
    turn.outside_cpu_seconds = outside.cpu_seconds(arm.pid) - cpu
    turn.outside_seconds = time.perf_counter() - start
    turn.steal_seconds = psutil.cpu_times().steal - steal
    after = pressure_seconds()
    turn.pressure_seconds = None if after is None or pressure is None else after - pressure
    arm.check_from_outside(taken.threads)
    return turn


def check_processors(taken: Sequence[Turn], given: int) -> None:
    """Refuse an arm (ArmFailed) that used more processors in its turns than it was given."""
    used = sum(turn.outside_cpu_seconds or 0.0 for turn in taken)
    took = sum(turn.outside_seconds or 0.0 for turn in taken)
    if used > (given + MORE_CORES) * took:
        raise ArmFailed("error", f"it used {used / took:.2f} processors; it was given {given}")
