"""The code that times, and the cross-checks on what it times. Nothing here passes or fails by elapsed time alone:
sleeps stand for work where only their order matters."""

import gc
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.correctness import sanity
from benchmarks.measurement import timing, turns


@given(st.floats(1e-7, 10), st.floats(1e-3, 0.1))
def test_a_plan_fills_a_turn_and_never_times_what_is_too_short_for_the_clock(seconds, turn_seconds):
    how = timing.plan(seconds, turn_seconds)
    assert 1 <= how.samples <= 200
    assert how.calls_per_sample * seconds >= timing.LONG_SECONDS * 0.999
    assert how.calls_per_sample == 1 or seconds < timing.LONG_SECONDS
    assert (how.samples - 1) * how.calls_per_sample * seconds <= turn_seconds * 1.01


def test_a_turn_makes_one_untimed_call_and_keeps_the_collector_out():
    calls, collecting = [], []

    def call(state):
        calls.append(state)
        collecting.append(gc.isenabled())

    found = timing.turn(call, "state", timing.Plan(samples=3, calls_per_sample=4))
    assert len(calls) == 1 + 3 * 4
    assert len(found.samples) == 3
    assert not any(collecting)
    assert gc.isenabled()
    assert all(value > 0 for value in found.samples)


def test_the_collector_comes_back_after_a_failure():
    def call(state):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        timing.turn(call, None, timing.Plan(1, 1))
    assert gc.isenabled()


class Device:
    """Work that goes on after the call returns, until somebody reads the result."""

    def __init__(self):
        self.due = 0.0

    def call(self, state):
        self.due = max(self.due, time.perf_counter()) + 0.0005

    def finish(self, result):
        while time.perf_counter() < self.due:
            pass


def test_a_call_that_returns_before_its_work_is_done_is_found():
    device = Device()
    with pytest.raises(sanity.Suspicious, match="returns before its work is done"):
        sanity.check_finished(device.call, None, device.finish, 0.00005)


def test_a_call_that_waits_for_its_work_is_not():
    device = Device()

    def call(state):
        device.call(state)
        device.finish(None)

    sanity.check_finished(call, None, device.finish, 0.0005)


def test_a_call_that_remembers_is_found_and_one_that_works_is_not():
    def work():
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass

    def remembers(state):
        if not state:
            work()
            state.append(1)

    with pytest.raises(sanity.Suspicious, match="remembers its results"):
        sanity.check_not_remembered(remembers, [], list)
    sanity.check_not_remembered(lambda state: work(), [], list)


@given(st.lists(st.text(max_size=3), min_size=1, max_size=8, unique=True), st.randoms(use_true_random=False))
def test_turns_are_mirrored_and_everybody_has_two(arms, rng):
    order = turns.mirrored(arms, rng)
    assert order == order[::-1]
    assert sorted(order) == sorted(arms * 2)


@given(st.floats(-5, 5), st.floats(-1, 1), st.integers(2, 6))
def test_a_linear_drift_cancels_in_mirrored_turns(level, slope, count):
    """The mean position of every arm is the same, so a drift that is linear in time adds the same to each."""
    import random

    order = turns.mirrored(range(count), random.Random(0))
    means = [sum(level + slope * k for k, arm in enumerate(order) if arm == one) / 2 for one in range(count)]
    assert max(means) - min(means) < 1e-9
