"""Checks of what no statistic can see: a callable that returns before its work is done, or remembers its results."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from benchmarks.worker.timing import no_collector, sample, seconds_of

UNFINISHED = 0.25
"""Reading a fresh result may take this share of a call longer than reading it again. Beyond, work was left."""
READ_SLACK_SECONDS = 30e-6
"""Reading a fresh result may always take this much longer: its memory is not in the caches."""
REMEMBERED = 3.0
"""A first call on new inputs may take this many times as long as a repeated call. Beyond, results are remembered."""
SLACK_SECONDS = 100e-6
"""A first call on new inputs may always take this much longer: its pages and caches are cold."""
DRAIN = 0.02
"""Waiting for the device may take this share of a call longer than waiting again. Beyond, the call left work."""
DRAIN_SLACK_SECONDS = 5e-6
"""Waiting for an idle device takes 2 to 5 µs by itself, the first time somewhat longer."""
PAUSE_SECONDS = 1e-3
"""The pause before a reading, after which it finds nothing in the caches."""
ATTEMPTS = 20
"""A suspicious call is measured this often: a disturbed machine is no proof."""


class Suspicious(Exception):
    """The times of a callable can't be right; the message says why."""


@dataclass(frozen=True)
class Reading:
    """A result as NumPy arrays, and how long it took to read it, and to read the same result again."""

    arrays: Any
    first_seconds: float
    again_seconds: float

    def left(self, call_seconds: float) -> bool:
        """Whether the first reading took so long that it must have done work of the call."""
        return self.first_seconds - self.again_seconds > UNFINISHED * call_seconds + READ_SLACK_SECONDS


def read(result: Any, finish: Callable[[Any], Any], pause: float = 0.0) -> Reading:
    """Read a result twice, with a pause of so many seconds between."""
    with no_collector():
        start = perf_counter()
        arrays = finish(result)
        first = perf_counter() - start
        if pause:
            time.sleep(pause)
        start = perf_counter()
        finish(result)
        again = perf_counter() - start
    return Reading(arrays, first, again)


def read_of_call(call: Callable[[Any], Any], state: Any, finish: Callable[[Any], Any]) -> tuple[float, Reading]:
    """Call once, and read its result twice. Return the seconds of the call, and the reading.

    The second reading comes after a pause: like the first one, it then finds its code and data in no cache.
    """
    seconds, result = sample(call, state, 1)
    return seconds, read(result, finish, PAUSE_SECONDS)


def check_finished(
    call: Callable[[Any], Any], state: Any, finish: Callable[[Any], Any], call_seconds: float, reading: Reading
) -> None:
    """Refuse a callable that leaves work for the moment when its result is read.

    It does not matter how the work is left: to a thread, a queue, a stream or a lazy array. A costly conversion to
    NumPy is no work left, since it costs the same again.

    Args:
        call: the timed callable.
        state: its argument.
        finish: reads a result.
        call_seconds: of a call, as it is timed.
        reading: of a fresh result of a call. Where it is suspicious, new calls are made and read.

    Raises:
        Suspicious: where most readings of fresh results took much longer than reading them again.
    """
    if not reading.left(call_seconds):
        return
    # A disturbance makes an honest reading long now and then, and lets a thread finish its work unseen now and then.
    # A disturbance that lasts makes the calls long too.
    readings = [read_of_call(call, state, finish) for _ in range(ATTEMPTS)]
    if sum(reading.left(max(call_seconds, seconds)) for seconds, reading in readings) > ATTEMPTS / 2:
        longer = statistics.median(reading.first_seconds - reading.again_seconds for _, reading in readings)
        raise Suspicious(
            f"it returns before its work is done: a timed call takes {call_seconds * 1e6:.1f} µs, and reading its"
            f" result {longer * 1e6:.1f} µs longer than reading it again (to_numpy must convert anew each time)"
        )


def undrained(drain_seconds: float, call_seconds: float) -> bool:
    """Whether waiting for the device took so long that a call must have left work on it."""
    return drain_seconds > DRAIN * call_seconds + DRAIN_SLACK_SECONDS


def check_drained(call: Callable[[Any], Any], state: Any, drain: Callable[[], None], call_seconds: float) -> None:
    """Refuse a callable that returns before its device is done.

    Reading a small result says little of a call that submits many kernels: reading takes as long as the last of them.

    Args:
        call: the timed callable.
        state: its argument.
        drain: waits for everything that was submitted to the device.
        call_seconds: of a call, as it is timed.

    Raises:
        Suspicious: where the device was still busy after most calls.
    """

    def longer() -> float:
        waited = read(call(state), lambda _: drain())
        return waited.first_seconds - waited.again_seconds

    left = [longer()]
    if not undrained(left[0], call_seconds):
        return
    left += [longer() for _ in range(ATTEMPTS - 1)]
    if sum(undrained(seconds, call_seconds) for seconds in left) > ATTEMPTS / 2:
        raise Suspicious(
            f"it returns before its device is done: a timed call takes {call_seconds * 1e6:.1f} µs, and the device is"
            f" busy for {statistics.median(left) * 1e6:.1f} µs more"
        )


def remembers(first_seconds: float, repeated_seconds: float) -> bool:
    """Whether first calls on new inputs take so long that repeated calls must have remembered their result.

    Args:
        first_seconds: the least of several first calls.
        repeated_seconds: of a call on inputs that it has seen.
    """
    return first_seconds > REMEMBERED * repeated_seconds + SLACK_SECONDS


def check_not_remembered(call: Callable[[Any], Any], state: Any, fresh: Callable[[], Any]) -> None:
    """Compare repeated calls with first calls on new inputs.

    Args:
        call: the timed callable.
        state: its argument.
        fresh: makes a new state.

    Raises:
        Suspicious: where the first calls take far longer.
    """
    repeated, first = 0.0, math.inf
    for _ in range(ATTEMPTS):
        with no_collector():
            call(state)
            repeated = max(repeated, min(seconds_of(call, state) for _ in range(3)))
            first = min(first, *(seconds_of(call, new) for new in [fresh() for _ in range(2)]))
        if not remembers(first, repeated):
            return
    raise Suspicious(
        f"it remembers its results: a call on inputs it has seen takes {repeated * 1e6:.1f} µs,"
        f" on new ones {first * 1e6:.1f} µs"
    )
