"""Injected slowdowns do what they say."""

import random

import pytest

from benchmarks.calibration.injection import LONGER, inject

SOURCE = """
from dataclasses import dataclass

@dataclass
class P:
    forward: object
    forward_train: object = None
    backward: object = None
    train_step: object = None

def prepare(*a):
    return P(lambda s: clock.call(), train_step=lambda s: clock.call())
"""


class Clock:
    """A clock that only work moves: a call takes a millisecond, more or less, and a piece of work a microsecond."""

    def __init__(self):
        self.now, self.rng = 0.0, random.Random(0)

    def perf_counter(self):
        return self.now

    def call(self):
        self.now += 1e-3 * self.rng.choice([0.5, 1.0, 3.0])
        return "result"


def prepared(share, clock=None, **options):
    module = {"__name__": "m", "clock": clock or Clock()}
    exec(inject(SOURCE, share, **options), module)
    if clock is not None:
        module["_time"] = clock
        module["_Slowed"].work = lambda _: setattr(clock, "now", clock.now + 1e-6)
    return module["prepare"]("p", None, None, "w")


@pytest.mark.parametrize("share", [0.02, 1.0])
def test_work_takes_its_share_of_a_call_whatever_the_machine_does(share):
    """The same calls, slowed and not: work takes its share, within a piece of it a call."""
    slowed, plain = Clock(), Clock()
    found = prepared(share, slowed)
    share /= LONGER
    for _ in range(200):
        before, begun = slowed.now, plain.now
        assert found.forward(None) == "result"
        plain.call()
        took = plain.now - begun
        assert share * took - 1e-9 <= slowed.now - before - took <= share * took + 1.001e-6
    assert found.backward is None


def test_only_the_wanted_modes_are_slowed():
    found = prepared(0.5, modes=["train_step"])
    assert not hasattr(found.forward, "work")
    assert hasattr(found.train_step, "work")
