"""All timing: workers and the pytest-benchmark suite both call this code.

A call that is long against the clock is timed by itself. Shorter calls are timed several at a time.
"""

import gc
import math
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Annotated, Any

import msgspec

Call = Callable[[Any], Any]

LONG_SECONDS = 50e-6
"""A call of at least this time is timed by itself: reading the clock twice takes about 0.1 µs, 0.2 % of it."""

MOST_SAMPLES = 200
"""The most samples of a turn that keeps them."""
CALLS = 1000
"""The calls of a turn each of which is timed by itself: ten of them are above the 99th percentile."""


@dataclass(frozen=True)
class Plan:
    """How a turn is filled: the number of samples, the number of calls in each, and that of the calls before it."""

    samples: int
    calls_per_sample: int
    warm: int = 0

    @property
    def calls(self) -> int:
        """How many calls a turn makes: an untimed one, then the timed ones. Those before it are not counted."""
        return 1 + self.samples * self.calls_per_sample


Int32 = Annotated[int, msgspec.Meta(extra={"arrow": "int32"})]
"""A whole number that a record keeps in 32 bits."""


class Turn(msgspec.Struct, kw_only=True):
    """A burst of timed calls of an arm: seconds per call of each sample, and what the machine did meanwhile.

    The worker fills in what it measures of the samples and of its own process. The runner fills in when the turn was,
    what it saw of the worker from outside, and what the whole machine did.
    """

    block: Int32 = 0
    position: Int32 | None = None  # in the block's order of turns
    started: float | None = None  # seconds since the epoch
    seconds: float  # of a call: the median of the samples
    # seconds per call; null where only p99_seconds and largest_seconds are kept
    samples: list[float] | None = None
    p99_seconds: float | None = None  # of 1,000 calls, each timed by itself
    largest_seconds: float | None = None  # of the same
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    pressure_seconds: float | None = None  # in which a process waited for a processor, meanwhile
    # of a cache line between the processors, just before the turn; null where there is one
    round_trip_seconds: float | None = None
    # the set of inputs that was loaded before it; null where it went on with the last one
    inputs: Int32 | None = None
    outside_seconds: float | None = None  # of the whole turn, by the runner's clock
    outside_cpu_seconds: float | None = None  # of the worker and its children, as the kernel tells
    # the card's clock at the end of the turn, as its driver tells the runner
    gpu_hertz: float | None = None
    gpu_celsius: float | None = None  # its temperature then
    # why it held itself back before or after, by NVML's bits; 0 where it did not
    gpu_throttled: Int32 | None = None
    gpu_others: Int32 | None = None  # processes of others that use it


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


def sample(call: Call, state: Any, calls: int = 1) -> tuple[float, Any]:
    """Return the seconds per call of `calls` calls in a row, and the result of the last call.

    Earlier results are dropped at once, as most programs do; so a call can use their memory again.
    """
    if calls == 1:
        start = perf_counter()
        result = call(state)
        return perf_counter() - start, result
    loop = range(calls - 1)
    start = perf_counter()
    for _ in loop:
        call(state)
    result = call(state)
    return (perf_counter() - start) / calls, result


def estimate(call: Call, state: Any, seconds: float) -> float:
    """Return roughly the seconds of a call: the median of some calls, which take about `seconds` together."""
    call(state)
    first = max(sample(call, state)[0], 1e-9)
    calls = math.ceil(LONG_SECONDS / first)
    repeats = max(1, min(15, int(seconds / (calls * first))))
    with no_collector():
        times = sorted(sample(call, state, calls)[0] for _ in range(repeats))
    return times[len(times) // 2]


def plan(
    seconds_per_call: float,
    turn_seconds: float,
    warm_seconds: float = 0.0,
    least_seconds: float = 0.0,
    each: bool = False,
) -> Plan:
    """Return how to fill a turn of `turn_seconds` with calls of about `seconds_per_call`.

    Calls go on for `warm_seconds` before it. It takes at least `least_seconds`, with no more than MOST_SAMPLES samples.
    With `each`, it has CALLS calls, each timed by itself: the largest of them is that of as many for all arms.
    """
    # the turn itself begins with an untimed call
    warm = max(0, math.ceil(warm_seconds / seconds_per_call) - 1)
    if each:
        return Plan(CALLS, 1, warm)
    sample_seconds = max(LONG_SECONDS, least_seconds / MOST_SAMPLES)
    calls_per_sample = math.ceil(sample_seconds / seconds_per_call)
    samples = round(turn_seconds / (calls_per_sample * seconds_per_call))
    return Plan(max(1, min(MOST_SAMPLES, samples)), calls_per_sample, warm)


def turn(call: Call, state: Any, how: Plan) -> tuple[Turn, Any, float]:
    """Make a first call, then the samples of a plan. Return the turn, the last call's result, the first's seconds."""
    samples: list[float] = []
    result: Any = None
    with no_collector():
        wall = perf_counter()
        cpu = process_time()
        first, _ = sample(call, state)
        for _ in range(how.samples):
            result = None  # before the next call, which can then use its memory
            seconds, result = sample(call, state, how.calls_per_sample)
            samples.append(seconds)
        wall = perf_counter() - wall
        cpu = process_time() - cpu
    median = statistics.median(samples)
    taken = Turn(seconds=median, samples=samples, wall_seconds=wall, cpu_seconds=cpu)
    return taken, result, first


def summarize(taken: Turn) -> None:
    """Keep the 99th percentile and the largest of a turn's samples in place of them."""
    ordered = sorted(taken.samples or ())
    taken.samples = None
    taken.p99_seconds = ordered[math.ceil(0.99 * len(ordered)) - 1]
    taken.largest_seconds = ordered[-1]


def pipelined(
    submit: Call, state: Any, warm: int, calls: int, drain: Callable[[], None]
) -> tuple[float, Any]:
    """Return the seconds per call of `calls` calls that do not wait, with a single wait at the end; the last result.

    `warm` calls come before, so that the device is at work. `drain` waits for it.
    """
    for _ in range(warm):
        submit(state)
    drain()
    with no_collector():
        start = perf_counter()
        for _ in range(calls - 1):
            submit(state)
        result = submit(state)
        drain()
        return (perf_counter() - start) / calls, result
