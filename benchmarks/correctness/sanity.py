"""Checks of what no statistic can see: a callable that returns before its work is done, or remembers its results."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.measurement.timing import no_collector, sample

UNFINISHED = 1.6
"""The true cost of a call may be this many times its timed cost. Beyond, it returns before its work is done."""
REMEMBERED = 4.0
"""A first call on new inputs may take this many times as long as a repeated call. Beyond, results are remembered."""
SLACK_SECONDS = 100e-6
"""A first call on new inputs may always take this much longer: its pages and caches are cold."""
CALL_SLACK_SECONDS = 20e-6
"""A call in a burst may always take this much longer than a call by itself."""
BURST_SECONDS = 1e-3
"""About how long the shorter burst lasts. That is short against a time slice, so some bursts are undisturbed."""
ATTEMPTS = 20
"""A suspicious call is measured this often, and the most favourable times count: a disturbed machine is no proof."""


class Suspicious(Exception):
    """The times of a callable can't be right; the message says why."""


def burst(call: Callable[[Any], Any], state: Any, calls: int, finish: Callable[[Any], Any]) -> float:
    """Return the seconds of `calls` calls in a row, until the last result has been read."""
    start = time.perf_counter()
    for _ in range(calls):
        result = call(state)
    finish(result)
    return time.perf_counter() - start


def alone(call: Callable[[Any], Any], state: Any, finish: Callable[[Any], Any]) -> float:
    """Return the seconds of a call as it is timed. Its result is read afterwards, so that the next call starts idle."""
    start = time.perf_counter()
    result = call(state)
    seconds = time.perf_counter() - start
    finish(result)
    return seconds


def check_finished(call: Callable[[Any], Any], state: Any, finish: Callable[[Any], Any], estimate: float) -> None:
    """Compare the timed call with a call in a burst that ends with reading the last result.

    Mostly the whole burst is short enough, reading included. Otherwise the difference of two bursts leaves reading out.
    Each of the two is the least of several bursts, since a disturbed burst would hide the difference.

    Args:
        call: the timed callable.
        state: its argument.
        finish: reads a result, which waits for it.
        estimate: roughly the seconds of a call.

    Raises:
        Suspicious: where the timed call is much shorter than its work.
    """
    calls = max(2, min(200, round(BURST_SECONDS / max(estimate, 1e-7))))
    singles = max(3, min(50, calls))
    single, once, twice = 0.0, math.inf, math.inf
    for attempt in range(ATTEMPTS):
        with no_collector():
            single = max(single, statistics.median(alone(call, state, finish) for _ in range(singles)))
            allowed = UNFINISHED * single + CALL_SLACK_SECONDS
            twice = min(twice, burst(call, state, 2 * calls, finish))
            if twice <= 2 * calls * allowed:
                return
            once = min(once, burst(call, state, calls, finish))
        added = (twice - once) / calls
        if attempt >= 2 and added <= allowed:
            return
    raise Suspicious(
        f"a timed call takes {single * 1e6:.0f} µs, but each further call in a burst {added * 1e6:.0f} µs:"
        " it returns before its work is done"
    )


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
            repeated = max(repeated, min(sample(call, state, 1) for _ in range(3)))
            first = min(first, *(sample(call, new, 1) for new in [fresh() for _ in range(2)]))
        if first <= REMEMBERED * repeated + SLACK_SECONDS:
            return
    raise Suspicious(
        f"a call on inputs it has seen takes {repeated * 1e6:.0f} µs, on new ones {first * 1e6:.0f} µs:"
        " it remembers its results"
    )
