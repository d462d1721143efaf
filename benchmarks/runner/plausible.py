"""Can the turns of an arm at a benchmark in a replicate be true? Two clocks, processors, remembered results.

Each check looks at all turns and takes the most favourable one, since a disturbed machine is no proof.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from benchmarks.record import Record
from benchmarks.runner import turns
from benchmarks.runner.arm import Arm, ArmFailed
from benchmarks.worker import sanity
from benchmarks.worker.requests import Inspect, TakeTurn
from benchmarks.worker.timing import Turn

CLOCK_SHARE = 0.1
CLOCK_SLACK_SECONDS = 1e-3
"""The runner's clock may show this share and this much more than the worker's: the time of the messages."""
AHEAD_SECONDS = 1e-4
"""The worker's clock may show this much more than the runner's, which starts earlier and ends later."""
LOOKS, LOOK_SECONDS = 10, 2.0
"""Where a clock seems wrong, so many further turns are taken, until one takes so long: one that is right is enough.

Each has twice as many calls in a sample. On a busy machine the worker and the runner wait for a processor. That
does not grow with the turn, as the error of a wrong clock does.
"""
MORE_CORES = 0.1
"""The cores that may be used beyond those that were given: the clocks of time and of processor time differ."""


def check(arm: Arm, row: Record, request: TakeTurn) -> None:
    """Check whether the times of an arm's row can be true; more turns may be requested.

    Raises:
        ArmFailed: where they cannot.
    """
    taken, seconds = row.turns or [], row.seconds or 0.0
    if reason := processors(taken, len(arm.limits.cores)):
        raise ArmFailed("error", reason)
    pairs, last = [pair_of(turn, request) for turn in taken if turn.outside_seconds is not None], 0.0
    most = 2**LOOKS * request.calls_per_sample
    while reason := clocks(pairs):
        if last > LOOK_SECONDS or request.calls_per_sample == most or not arm.alive:
            raise ArmFailed("error", reason)
        request = msgspec.structs.replace(request, calls_per_sample=2 * request.calls_per_sample)
        pairs.append(pair_of(turns.take(arm, request), request))
        last = pairs[-1][1]
    if remembered(taken, seconds):  # or disturbed, so look again and more closely
        if not arm.alive:
            raise ArmFailed("crashed", "it died before its times could be checked")
        arm.ask(Inspect(request.benchmark, seconds))


def pair_of(turn: Turn, request: TakeTurn) -> tuple[float, float]:
    """Return how long a turn took by the worker's clock: its calls, and the reading; and how long by the runner's."""
    calls = (turn.first_seconds or 0.0) + request.calls_per_sample * sum(turn.samples or ())
    return calls + (turn.read_seconds or 0.0) + (turn.reread_seconds or 0.0), turn.outside_seconds or 0.0


def clocks(pairs: Sequence[tuple[float, float]]) -> str | None:
    """Return why the worker's clock cannot be right; None where it can.

    The seconds of each turn by the worker's clock must fit into those by the runner's. In one turn they must come near.
    """
    wrong = [pair for pair in pairs if pair[0] > pair[1] + AHEAD_SECONDS]
    if pairs and all(_lag(pair) > 0 for pair in pairs):
        wrong.append(min(pairs, key=_lag))
    for inside, outside in wrong:
        return f"its clock is wrong: by it a turn took {inside * 1e3:.2f} ms, by the runner's {outside * 1e3:.2f} ms"
    return None


def _lag(pair: tuple[float, float]) -> float:
    """Return by how much the runner's clock shows more than it may."""
    inside, outside = pair
    return outside * (1 - CLOCK_SHARE) - inside - CLOCK_SLACK_SECONDS


def processors(taken: Sequence[Turn], given: int) -> str | None:
    """Return why an arm used more processors than it was given; None where it did not."""
    used = sum(turn.outside_cpu_seconds or 0.0 for turn in taken)
    took = sum(turn.outside_seconds or 0.0 for turn in taken)
    if used > (given + MORE_CORES) * took:
        return f"it used {used / took:.2f} processors; it was given {given}"
    return None


def remembered(taken: Sequence[Turn], seconds: float) -> bool:
    """Whether calls on inputs that an arm had seen were so short that it may have remembered their results.

    Args:
        taken: some of them began with new inputs.
        seconds: of a call: the median over all turns.
    """
    new = {turn.inputs: turn.first_seconds or 0.0 for turn in reversed(taken) if turn.inputs is not None}
    return sanity.remembers(min(new.values(), default=0.0), seconds)  # of each set, where it was new
