"""Injected slowdowns: a copy of an implementation that does more work after each call.

The work is small matrix products in NumPy, as many as take that share of the call's own time. A sleep would not do: it
leaves the processor free, and on a disturbed machine it does not get longer as the call does.
"""

from __future__ import annotations

from collections.abc import Callable

INJECTED = """

# injected: every call does {percent:g} % more work
import dataclasses as _dataclasses
import statistics as _statistics
import time as _time

import numpy as _np

_original = prepare


class _Slowed:
    def __init__(self, call, spare):
        self.call, self.spare, self.count, self.first = call, spare, None, True
        self.a, self.b, self.c = (_np.ones((24, 24), _np.float32) for _ in range(3))

    def burn(self, count):
        for _ in range(count):
            _np.dot(self.a, self.b, out=self.c)

    def calibrate(self):
        state = self.spare()  # a step of `model` moves the parameters, and those are compared
        self.call(state)
        # again with the number found, since short work after a long call is slow to get going
        count = 50
        for _ in range(3):
            calls, burns = [], []
            for _ in range(15):
                for what, argument, seconds in ((self.call, state, calls), (self.burn, count, burns)):
                    start = _time.perf_counter()
                    what(argument)
                    seconds.append(_time.perf_counter() - start)
            count = max(1, round({share} * count * _statistics.median(calls) / _statistics.median(burns)))
        self.count = count

    def __call__(self, state):
        if self.first:  # it may be timed by itself, and calibrating takes many calls
            self.first = False
            return self.call(state)
        if self.count is None:
            self.calibrate()
        result = self.call(state)
        self.burn(self.count)
        return result


def prepare(problem, weights, device, workload):
    original, inputs = _original(problem, weights, device, workload), []

    def load(given):
        inputs[:] = [given]
        return original.load(given)

    def spare(mode):
        return original.start(mode, inputs[0])

    def slowed(mode):
        call = getattr(original, mode)
        return call and _Slowed(call, lambda: spare(mode))

    modes = ("forward", "forward_train", "backward", "train_step")
    return _dataclasses.replace(original, load=load, **{{mode: slowed(mode) for mode in modes}})
"""


def inject(source: str, share: float) -> str:
    """Return a source with an injected slowdown: each call does `share`, such as 0.05, more work."""
    return source + INJECTED.format(share=share, percent=100 * share)


def slowed_by(share: float) -> Callable[[str], str]:
    """Return a function that injects a slowdown of `share` into a source."""
    return lambda source: inject(source, share)
