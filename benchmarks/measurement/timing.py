"""All timing: workers and the pytest-benchmark suite both call this code.

A call that is long against the clock is timed by itself. Shorter calls are timed several at a time.
"""

from __future__ import annotations

import gc
import math
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

Call = Callable[[Any], Any]

LONG_SECONDS = 50e-6
"""A call of at least this time is timed by itself: reading the clock twice takes about 0.1 µs, 0.2 % of it."""


@dataclass(frozen=True)
class Plan:
    """How a turn is filled: the number of samples, and the number of calls in each."""

    samples: int
    calls_per_sample: int


Int32 = Annotated[int, msgspec.Meta(extra={"arrow": "int32"})]
"""A whole number that a record keeps in 32 bits."""


class Turn(msgspec.Struct, kw_only=True):
    """A burst of timed calls of an arm: seconds per call of each sample, and what the machine did meanwhile.

    The worker fills in what it measures of the samples and of its own process. The runner fills in when the turn was,
    and what the whole machine did.
    """

    block: Int32 = 0
    position: Int32 | None = None  # in the block's order of turns
    started: float | None = None  # seconds since the epoch
    seconds: float  # of a call: the median of the samples
    samples: list[float] | None = None  # seconds per call
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    involuntary_switches: int | None = None
    steal_seconds: float | None = None  # of the whole machine, meanwhile
    pressure_seconds: float | None = None  # in which a process waited for a processor, meanwhile


@contextmanager
def no_collector() -> Iterator[None]:
    """Turn the garbage collector off, and afterwards back on where it was on."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def sample(call: Call, state: Any, calls: int) -> float:
    """Return the seconds per call of `calls` calls in a row."""
    if calls == 1:
        start = time.perf_counter()
        call(state)
        return time.perf_counter() - start
    loop = range(calls)
    start = time.perf_counter()
    for _ in loop:
        call(state)
    return (time.perf_counter() - start) / calls


def estimate(call: Call, state: Any, seconds: float) -> float:
    """Return roughly the seconds of a call: the median of some calls, which take about `seconds` together."""
    call(state)
    first = sample(call, state, 1)
    calls = max(1, math.ceil(LONG_SECONDS / max(first, 1e-9)))
    repeats = max(1, min(15, int(seconds / (calls * max(first, 1e-9)))))
    with no_collector():
        times = sorted(sample(call, state, calls) for _ in range(repeats))
    return times[len(times) // 2]


def plan(seconds_per_call: float, turn_seconds: float) -> Plan:
    """Return how to fill a turn of `turn_seconds` with calls of `seconds_per_call`."""
    per_sample = max(1, math.ceil(LONG_SECONDS / seconds_per_call))
    return Plan(max(1, min(200, round(turn_seconds / (per_sample * seconds_per_call)))), per_sample)


def turn(call: Call, state: Any, how: Plan) -> Turn:
    """Make an untimed call, then the samples."""
    with no_collector():
        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
        wall, cpu = time.perf_counter(), time.process_time()
        call(state)
        samples = [sample(call, state, how.calls_per_sample) for _ in range(how.samples)]
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - switches
    return Turn(
        seconds=statistics.median(samples),
        samples=samples,
        wall_seconds=wall,
        cpu_seconds=cpu,
        involuntary_switches=switches,
    )
