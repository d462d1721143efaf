"""Checks of what no statistic can see: a callable that returns before its work is done, or remembers its results.

Mistakes and shortcuts are caught: results that are remembered, lazy, unfinished or approximate, work outside the timed
part, more processors than given, a lower precision. A file that sets out to attack the suite is not: it runs in the
suite's own process, and can rewrite it. So read a file before you trust it.

Every check raises Suspicious where it finds what it looks for.
"""

import math
import os
import statistics
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from time import process_time, sleep
from typing import Any

import numpy as np

from benchmarks.judge.held import Held
from benchmarks.worker.timing import no_collector, sample

REMEMBERED = 1.5
"""A first call on new inputs may take this many times as long as a repeated call. Beyond, results are remembered."""
SET_UP_SECONDS = 250e-6
"""A first call on new inputs may always take this much longer: a framework sets up what it needs for new arrays.

In JAX 0.12 that was seen to take 130 µs, in OpenVINO 2026.4 190 µs.
"""
SLACK_SECONDS = 100e-6
"""To look into a result may always take this much longer: its pages and caches are cold."""
COPIES = 5
"""To read a result may take so many copies of its arrays, and READ_SECONDS for each of them."""
READ_SECONDS = 30e-6
"""Those of PyTorch, JAX and NumPy take up to 2.5 copies and 5 µs for each array."""
HELD = 0.99
"""A reading that only converts finds so large a share of its numbers in the result."""
ATTEMPTS = 20
"""A suspicious call is measured this often: a disturbed machine is no proof."""


class Suspicious(Exception):
    """The times of a callable can't be right; the message says why."""


@dataclass(frozen=True)
class Limit:
    """How much longer a first reading may take: a share of a call, and some seconds. Beyond, the call left work.

    pause_seconds: after which the second reading of a further call comes.
    reason: why a call is refused: its seconds, and by how much its readings take longer.
    """

    share: float
    seconds: float
    pause_seconds: float
    reason: str

    def exceeded(self, longer: float, call_seconds: float) -> bool:
        """Whether the first reading took so much longer."""
        return longer > self.share * call_seconds + self.seconds


OF_RESULT = Limit(
    0.25,
    30e-6,  # the memory of a fresh result is not in the caches, and after the pause that of the second reading isn't
    pause_seconds=1e-3,
    reason="it returns before its work is done: a timed call takes {:.1f} µs, and reading its result {:.1f} µs longer"
    " than reading it again (to_numpy must convert anew each time)",
)
OF_DEVICE = Limit(
    0.02,
    5e-6,  # waiting for an idle device takes 2 to 5 µs by itself, the first time somewhat longer
    pause_seconds=0.0,
    reason="it returns before its device is done: a timed call takes {:.1f} µs, and the device is busy for {:.1f} µs"
    " more",
)


def read(result: Any, finish: Callable[[Any], Any]) -> tuple[Any, float]:
    """Read a result twice. Return what the first reading gave, and the seconds by which it took longer."""
    with no_collector():
        first, arrays = sample(finish, result)
        again, _ = sample(finish, result)
    return arrays, first - again


def lost(wall: float, processor: float, waits: float) -> float:
    """Return the seconds of some time in which nothing was done, since threads waited for a processor.

    The waits of several threads may overlap, with each other and with work. So what the processors did in that time
    bounds them: all seconds are in seconds of processor time, divided by the processors, or lost.

    Args:
        wall, processor: the seconds of that time, and of all threads on processors.
        waits: the seconds in which threads were ready and had no processor, all of them together.
    """
    cores = len(os.sched_getaffinity(0))
    return max(0.0, min(waits, wall - processor / cores))


def undisturbed(call: Callable[[Any], Any], argument: Any) -> tuple[float, Any]:
    """Return the seconds of a call without what was lost, and its result."""
    waits = waited()
    processor = process_time()
    seconds, result = sample(call, argument)
    processor = process_time() - processor
    return seconds - lost(seconds, processor, waited() - waits), result


def _look(
    call: Callable[[Any], Any], state: Any, finish: Callable[[Any], Any], pause: float
) -> tuple[float, float]:
    """Return by how much the first reading of a call's result took longer than the second, and the call's seconds.

    What was lost does not count. It takes a while to ask for the waits of all threads, in which work that was left
    would go on unseen. So between the call and the reading this thread's alone are asked for.
    """
    with no_collector(), Path("/proc/thread-self/schedstat").open("rb", buffering=0) as mine:
        before = waited()
        own = waited(mine)
        seconds, result = sample(call, state)
        processor = process_time()
        own = waited(mine) - own
        first, _ = sample(finish, result)
        processor = process_time() - processor
        first -= lost(first, processor, waited() - before - own)
        sleep(pause)
        again, _ = sample(finish, result)
    return first - again, seconds - own


def check_left(
    call: Callable[[Any], Any],
    state: Any,
    finish: Callable[[Any], Any],
    call_seconds: float,
    longer: float,
    limit: Limit = OF_RESULT,
) -> None:
    """Refuse a callable that leaves work for the moment when its result is read, or when its device is waited for.

    It does not matter how the work is left: to a thread, a queue, a stream or a lazy array. A costly conversion to
    NumPy is no work left, since it costs the same again. Reading a small result says little of a call that submits many
    kernels, since that takes as long as the last of them. So the device is waited for too.

    Args:
        call, state, call_seconds: the timed callable, its argument, and how long a call took.
        finish: reads a result, or waits for everything that was submitted to the device.
        longer: by how much the first reading of a result took longer. If suspicious, new calls are made and read.
        limit: of a result or of a device.
    """
    if not limit.exceeded(longer, call_seconds):
        return
    # A disturbance makes an honest reading long now and then, and lets a thread finish its work unseen now and then.
    # A disturbance that lasts makes the calls long too.
    longer_readings = []
    honest = 0
    for _ in range(ATTEMPTS):
        call(state)  # and its result is not read: as in a turn, a call follows a call
        longer, seconds = _look(call, state, finish, limit.pause_seconds)
        longer_readings.append(longer)
        honest += not limit.exceeded(longer, max(call_seconds, seconds))
        if honest >= ATTEMPTS / 2:
            return
    left = statistics.median(longer_readings)
    raise Suspicious(limit.reason.format(call_seconds * 1e6, left * 1e6))


def remembers(first_seconds: float, repeated_seconds: float) -> bool:
    """Whether (the least of) first calls on new inputs took so long that repeated calls must have remembered."""
    return first_seconds > REMEMBERED * repeated_seconds + SET_UP_SECONDS


def check_reading(result: Any, finish: Callable[[Any], Any], call_seconds: float) -> None:
    """Look whether a result is computed each time that it is read.

    A reading that only converts is quick, or its numbers are in the result before it is read: through lists of Python's
    floats it takes long. An array of a framework that can't be looked into may take as long as a call in addition.
    """
    held = Held.of(result)  # before it is read
    more = call_seconds + SLACK_SECONDS if held.unseen else 0.0
    reading = copying = math.inf
    for _ in range(ATTEMPTS):
        seconds, arrays = undisturbed(finish, result)
        copied, _ = sample(
            lambda read: [np.array(array, np.float32) for array in read.values()], arrays
        )
        reading = min(reading, seconds)
        copying = min(copying, copied)
        if reading <= more + COPIES * copying + READ_SECONDS * len(arrays):
            return
    if held.share_of(arrays.values()) >= HELD:
        return
    raise Suspicious(
        f"it computes its result when that is read: a timed call takes {call_seconds * 1e6:.1f} µs, and each reading"
        f" {reading * 1e6:.1f} µs (to_numpy must only convert)"
    )


def waited(thread: FileIO | None = None) -> float:
    """Return the seconds in which threads of this process were ready and had no processor, all of them together.

    Asking for a single thread, by its open schedstat, takes 1 µs; asking for all takes 20 µs for each.
    """
    if thread is not None:
        return int(os.pread(thread.fileno(), 64, 0).split()[1]) / 1e9
    delays = 0
    for path in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError):  # it has ended
            delays += int(path.read_text().split()[1])
    return delays / 1e9


def first_and_repeated(call: Callable[[Any], Any], fresh: Callable[[], Any]) -> tuple[float, float]:
    """Return the least seconds of a few first calls on new states, and of repeated calls on one of them.

    What was lost in a first call does not count: a busy machine remembers nothing.
    """
    with no_collector():
        states = [fresh() for _ in range(3)]
        first = min(undisturbed(call, state)[0] for state in states)
        return first, min(sample(call, states[-1])[0] for _ in range(3))


def longer_first(pairs: list[tuple[float, float]]) -> float:
    """Return by how many seconds a first call is longer than a repeated one, from pairs of them."""
    return statistics.median(first - repeated for first, repeated in pairs)


def check_not_remembered(
    call: Callable[[Any], Any],
    fresh: Callable[[], Any],
    other: tuple[Callable[[Any], Any], Callable[[], Any]] | None = None,
) -> None:
    """Compare repeated calls with first calls on new inputs, for which `fresh` makes new states.

    `other` is a mode of another amount of work, and makes its states. To set up a new state takes as long there, and is
    no fault; what is remembered does not.
    """
    pairs = []
    for _ in range(ATTEMPTS):
        pairs.append(first_and_repeated(call, fresh))
        first = min(once for once, _ in pairs)
        repeated = min(again for _, again in pairs)
        if not remembers(first, repeated):
            return
    if other is not None:
        others = [first_and_repeated(*other) for _ in range(ATTEMPTS)]
        less, more = sorted(map(longer_first, (pairs, others)))
        if more < REMEMBERED * less:
            return
    raise Suspicious(
        f"it remembers its results: a call on inputs it has seen takes {repeated * 1e6:.1f} µs,"
        f" on new ones {first * 1e6:.1f} µs"
    )
