"""Turns: their order in a block, what the runner and the machine saw during each, and whether their times can be true.

Each check of a replicate's turns takes the most favourable one, since a disturbed machine is no proof.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.record import Record
from benchmarks.runner import outside
from benchmarks.runner.arm import Arm
from benchmarks.runner.sides import ArmFailed
from benchmarks.worker import sanity
from benchmarks.worker.requests import Inspect, TakeTurn
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
    helpers = arm.watch.helpers() if request.read else {}
    started, steal, pressure = time.time(), psutil.cpu_times().steal, pressure_seconds()
    start, cpu = time.perf_counter(), outside.cpu_seconds(arm.watch.pid)
    taken = arm.ask(request, stop=not request.read)
    turn = taken.turn
    turn.started = started
    # within the seconds that follow, however long this process waits
    turn.outside_cpu_seconds = outside.cpu_seconds(arm.watch.pid) - cpu
    turn.outside_seconds = time.perf_counter() - start
    turn.steal_seconds = psutil.cpu_times().steal - steal
    after = pressure_seconds()
    turn.pressure_seconds = None if after is None or pressure is None else after - pressure
    arm.check_from_outside(taken.threads)
    if request.read and (reason := arm.watch.busy_helper(helpers, turn.outside_seconds)):
        raise ArmFailed("error", reason)
    return turn


def check_plausible(arm: Arm, row: Record, benchmark: str) -> None:
    """Refuse an arm (ArmFailed) whose times at a benchmark cannot be true."""
    taken, seconds = row.turns or [], row.seconds or 0.0
    if reason := processors(taken, len(arm.cores)):
        raise ArmFailed("error", reason)
    if remembered(taken, seconds):  # or disturbed, so look again and more closely
        if not arm.alive:
            raise ArmFailed("crashed", "it died before its times could be checked")
        arm.ask(Inspect(benchmark, seconds))


def processors(taken: Sequence[Turn], given: int) -> str | None:
    """Return why an arm used more processors than it was given; None where it did not."""
    used = sum(turn.outside_cpu_seconds or 0.0 for turn in taken)
    took = sum(turn.outside_seconds or 0.0 for turn in taken)
    if used > (given + MORE_CORES) * took:
        return f"it used {used / took:.2f} processors; it was given {given}"
    return None


def remembered(taken: Sequence[Turn], seconds: float) -> bool:
    """Whether calls on inputs that an arm had seen were so short that it may have remembered their results.

    `seconds` are those of a call: the median over all turns.
    """
    new = {turn.inputs: turn.first_seconds or 0.0 for turn in reversed(taken) if turn.inputs is not None}
    return sanity.remembers(min(new.values(), default=0.0), seconds)  # of each set, where it was new
