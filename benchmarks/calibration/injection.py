"""Injected slowdowns: a copy of an implementation whose every call takes longer by a share of itself.

After a call, the copy works until a share of what this call took has passed. So the size is about right whatever the
machine does. What the work leaves behind comes on top: the next call finds less of its data in the caches. So a
slowdown is only called 2 %; the tables say what it measured. A fixed amount of work would not do: on a disturbed
machine it does not get longer as the call does. A sleep would not do: it leaves the processor free.
"""

from collections.abc import Sequence

from impls.core.workloads import MODES

WORK = "arithmetic"
"""What the copy does, as a pool has it. Published pools have rounds of memory traffic, too."""
LONGER = 1.07
"""About how much longer a call takes in all, for each second of work: docs/decisions/0013-one-test.md."""
SHARES = (0.02, 0.03, 0.05)
"""The slowdowns of a round, as shares of a call."""

INJECTED = """

# injected: every call takes {percent:g} % longer
import dataclasses as _dataclasses
import time as _time

_original = prepare


class _Slowed:
    def __init__(self, call, share):
        self.call, self.share = call, share

    def work(self):  # about a microsecond
        x = 1.0
        for _ in range(20):
            x = 0.5 * x + 0.5

    def __call__(self, state):
        start = _time.perf_counter()
        result = self.call(state)
        now = _time.perf_counter()
        until = now + self.share * (now - start)
        while _time.perf_counter() < until:
            self.work()
        return result


def prepare(problem, weights, device, workload):
    original = _original(problem, weights, device, workload)
    calls = {{mode: getattr(original, mode) for mode in {shares!r}}}
    slowed = {{mode: _Slowed(call, {shares!r}[mode]) for mode, call in calls.items() if call is not None}}
    return _dataclasses.replace(original, **slowed)
"""


def inject(source: str, share: float, modes: Sequence[str] = MODES) -> str:
    """Return the source of an implementation in which these modes are slower by a share such as 0.05."""
    return source + INJECTED.format(
        percent=100 * share, shares=dict.fromkeys(modes, share / LONGER)
    )
