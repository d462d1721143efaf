"""The code that times."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.runner import blocks
from benchmarks.worker import timing


@given(st.floats(1e-7, 10), st.floats(1e-3, 0.1))
def test_a_plan_fills_a_turn_and_never_times_what_is_too_short_for_the_clock(seconds, turn_seconds):
    how = timing.plan(seconds, turn_seconds)
    assert 1 <= how.samples <= 200
    assert how.calls_per_sample * seconds >= timing.LONG_SECONDS * 0.999
    assert how.calls_per_sample == 1 or seconds < timing.LONG_SECONDS
    assert (how.samples - 1) * how.calls_per_sample * seconds <= turn_seconds * 1.01
    assert how.warm == 0
    whole = timing.plan(seconds, turn_seconds, least_seconds=turn_seconds)
    assert 1 <= whole.samples <= 200
    assert whole.samples * whole.calls_per_sample * seconds >= turn_seconds / 2
    before = 1 + timing.plan(seconds, turn_seconds, 0.02).warm  # with the untimed call of the turn
    assert 0.02 * 0.999 <= before * seconds <= (0.02 + seconds) * 1.001


def test_a_turn_is_the_median_of_its_samples_per_call(monkeypatch):
    clock, takes = [0.0], iter((9.0, 1.0, 1.0, 5.0, 5.0, 2.0, 2.0))
    monkeypatch.setattr(timing, "perf_counter", lambda: clock[0])
    found, _, _ = timing.turn(lambda _: clock.__setitem__(0, clock[0] + next(takes)), None, timing.Plan(3, 2))
    assert (found.samples, found.seconds) == ([1.0, 5.0, 2.0], 2.0), "the first call of 9 s is no sample"


def test_each_of_a_thousand_calls_is_timed_and_their_99th_percentile_and_largest_are_kept(monkeypatch):
    how = timing.plan(1e-6, 0.015, each=True)
    assert (how.samples, how.calls_per_sample) == (1000, 1)
    clock, takes = [0.0], iter([5000, *(7 * k % 1000 + 1 for k in range(1000))])  # 1 to 1,000, after the untimed call
    monkeypatch.setattr(timing, "perf_counter", lambda: clock[0])
    found, _, _ = timing.turn(lambda _: clock.__setitem__(0, clock[0] + next(takes)), None, how)
    timing.summarize(found)
    assert (found.seconds, found.p99_seconds, found.largest_seconds, found.samples) == (500.5, 990, 1000, None)


def test_the_collector_is_kept_out_and_comes_back_also_after_a_failure():
    collecting = []

    def call(state):
        collecting.append(gc.isenabled())
        if len(collecting) == 5:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        timing.turn(call, None, timing.Plan(3, 4))
    assert not any(collecting)
    assert gc.isenabled()
    timing.turn(call, None, timing.Plan(1, 1))
    assert gc.isenabled()


@pytest.mark.parametrize("calls_per_sample", [1, 3])
def test_a_turn_gives_the_result_of_its_last_call_and_keeps_no_other(calls_per_sample):
    class Result:
        alive = 0

        def __init__(self, number):
            self.number = number
            Result.alive += 1
            most.append(Result.alive)

        def __del__(self):
            Result.alive -= 1

    most, numbers = [], iter(range(100))
    plan = timing.Plan(4, calls_per_sample)
    _, result, _ = timing.turn(lambda state: Result(next(numbers)), None, plan)
    assert result.number == plan.calls - 1
    assert max(most) == 1


@given(st.integers(1, 8), st.randoms(use_true_random=False), st.floats(-5, 5), st.floats(-1, 1))
def test_turns_are_mirrored_so_that_a_linear_drift_cancels(count, rng, level, slope):
    order = blocks.mirrored(range(count), rng)
    assert order == order[::-1]
    assert sorted(order) == sorted([*range(count)] * 2)
    means = [sum(level + slope * k for k, arm in enumerate(order) if arm == each) / 2 for each in range(count)]
    assert max(means) - min(means) < 1e-9
