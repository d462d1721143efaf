"""What no statistic can find: a callable that returns before its work is done, or that did it long ago."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.measurement.timing import no_collector, sample

UNFINISHED = 1.6
"""A call may really cost this many times what it was timed at; beyond, it returns before its work is done."""
REMEMBERED = 4.0
"""A first call on new inputs may take this many times a repeated one; beyond, results are remembered."""
SLACK_SECONDS = 100e-6
"""What a first call on new inputs may take longer in any case: their pages and caches are cold."""
CALL_SLACK_SECONDS = 20e-6
"""What a call in a burst may take longer than one by itself in any case."""
BURST_SECONDS = 1e-3
"""About how long the shorter burst lasts: short against a time slice, so that on a busy machine some burst is whole."""
ATTEMPTS = 20
"""What seems wrong is measured again, and judged by what speaks most for it: a disturbed machine is no proof."""


class Suspicious(Exception):
    """A callable's times can't be what they seem; the message says why."""


def burst(call: Callable[[Any], Any], state: Any, calls: int, finish: Callable[[Any], Any]) -> float:
    """Seconds for so many calls in a row, until the last result can be read."""
    start = time.perf_counter()
    for _ in range(calls):
        result = call(state)
    finish(result)
    return time.perf_counter() - start


def alone(call: Callable[[Any], Any], state: Any, finish: Callable[[Any], Any]) -> float:
    """Seconds of one call as it is timed; its work is waited for afterwards, so that the next waits for its own."""
    start = time.perf_counter()
    result = call(state)
    seconds = time.perf_counter() - start
    finish(result)
    return seconds


def check_finished(call: Callable[[Any], Any], state: Any, finish: Callable[[Any], Any], estimate: float) -> None:
    """Compare a call's own time with what a call costs in a burst that ends in reading the last result.

    Mostly the whole burst is short enough, reading included. Otherwise reading is taken out, as the difference of
    two bursts, and each is the least of several: one disturbed burst would hide what the other shows.
    Raises Suspicious where the timed call is much shorter than its work.
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
    """Compare repeated calls with first calls on new inputs. Raises Suspicious where those take far longer."""
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
