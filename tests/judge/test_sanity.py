"""Work that is left for later, and remembered results, on a machine that is made up: no real time passes."""

import os
from array import array
from contextlib import nullcontext
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.judge import sanity
from benchmarks.worker import timing


class Machine:
    """A thread's clock, the waits of it and of all threads, and a device.

    Where it is busy, the kernel gives the thread's processor to others for 12 ms after each 2.5 ms of work.
    """

    def __init__(self, busy):
        self.now = self.due = self.used = self.waited = self.mine = self.processor = 0.0
        self.busy = busy

    def work(self, seconds):
        """Compute."""
        self.now += seconds
        self.processor += seconds
        self.used += seconds
        while self.busy and self.used > 0.0025:
            self.used -= 0.0025
            self.now += 0.012
            self.waited += 0.012
            self.mine += 0.012

    def wait(self, seconds):
        """Wait for two other threads of it, which are ready and have no processor."""
        self.now += seconds
        self.waited += 2 * seconds

    def work_in_threads(self, seconds):
        """Compute in two other threads of it: while one has the processor, the other waits for that."""
        self.now += seconds
        self.processor += seconds
        self.waited += seconds

    def submit(self, seconds):
        """Have the device, or another thread, work after what it was given before."""
        self.due = max(self.due, self.now) + seconds

    def drain(self, _=None):
        """Wait for the device."""
        self.work(2e-6)
        self.now = max(self.now, self.due)

    def pause(self, seconds):
        """Sleep. Then it may work for a while."""
        self.now += seconds
        self.used = 0.0


@pytest.fixture(params=[False, True], ids=["quiet", "busy"])
def machine(request, monkeypatch):
    made = Machine(request.param)
    monkeypatch.setattr(timing, "perf_counter", lambda: made.now)
    monkeypatch.setattr(sanity, "waited", lambda thread=None: made.waited if thread is None else made.mine)
    monkeypatch.setattr(sanity, "sleep", made.pause)
    monkeypatch.setattr(sanity, "process_time", lambda: made.processor)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    return made


@dataclass(slots=True)
class Slotted:
    """A result without a dictionary of attributes."""

    rows: list[float]


class Lazy:
    """A result that is computed when it is read."""

    def __init__(self, machine, seconds):
        self.machine, self.seconds = machine, seconds

    def read(self):
        self.machine.work(self.seconds)
        self.seconds = 10e-6


NUMBERS = iter(range(10**9))


def now_and_then(usual, other, every):
    """The other of two values once in so many times."""
    return other if next(NUMBERS) % every == 0 else usual


def unless_read(machine):
    """A call that works, unless the result of the call before was not read: then its own is computed when it is."""
    last = [Lazy(machine, 10e-6)]

    def call(_):
        read = last[0].seconds == 10e-6
        if read:
            machine.work(0.002)
        last[0] = Lazy(machine, 2e-5 if read else 0.002)  # a reading leaves 10e-6
        return last[0]

    return call


LEFT = {
    "a lazy array": lambda m: (lambda _: Lazy(m, 0.002), Lazy.read, 2e-4),
    "a queue or a thread": lambda m: (lambda _: m.submit(0.002), m.drain, 2e-4),
    "a lazy array, where a call follows a call": lambda m: (unless_read(m), Lazy.read, 2e-4),
    "half of the work": lambda m: (lambda _: (m.work(0.002), Lazy(m, 0.002))[1], Lazy.read, 0.002),
    "a third looks finished": lambda m: (lambda _: Lazy(m, now_and_then(0.002, 10e-6, 3)), Lazy.read, 2e-4),
    "a tenth on the device": lambda m: (lambda _: (m.work(0.002), m.submit(2e-4)), m.drain, 0.002, sanity.OF_DEVICE),
}
"""By what is left: a call, how its result is read, the seconds of a timed call, and limits other than a result's."""
HONEST = {
    "it waits for its work": lambda m: (lambda _: (m.submit(0.002), m.drain()), m.drain, 0.002),
    "a costly conversion": lambda m: (lambda _: m.work(5e-4), lambda _: m.work(0.0015), 5e-4),
    "a conversion whose threads get no processor at first": lambda m: (
        lambda _: (m.work(5e-4), [0.004])[1],
        lambda first: first and m.wait(first.pop()),
        5e-4,
    ),
    "a conversion whose threads get no processor later": lambda m: (
        lambda _: m.work(5e-4),
        lambda _: m.wait(0.016 if next(NUMBERS) % 2 else 0),
        5e-4,
    ),
    "a reading that is now and then long": lambda m: (
        lambda _: None,
        lambda _: m.work(now_and_then(0, 0.002, 6)),
        2e-4,
    ),
    "a disturbance that lasts makes calls long too": lambda m: (
        lambda _: (m.work(0.004), Lazy(m, 5e-4))[1],
        Lazy.read,
        1e-4,
    ),
    "it waits for the device": lambda m: (lambda _: (m.submit(5e-4), m.drain()), m.drain, 5e-4, sanity.OF_DEVICE),
    "a device that is now and then busy": lambda m: (
        lambda _: m.submit(now_and_then(0, 0.002, 4)),
        m.drain,
        5e-4,
        sanity.OF_DEVICE,
    ),
}
DISTURBED = 1.0
"""Seconds of a first look that is always suspicious: the further ones decide."""


@pytest.mark.parametrize("case", LEFT)
def test_work_that_is_left_is_found(machine, case):
    call, finish, seconds, *limits = LEFT[case](machine)
    who = "device" if limits else "work"
    with pytest.raises(sanity.Suspicious, match=f"returns before its {who} is done"):
        sanity.check_left(call, None, finish, seconds, DISTURBED, *limits)


@pytest.mark.parametrize("case", HONEST)
def test_an_honest_call_is_not_accused(machine, case):
    call, finish, seconds, *limits = HONEST[case](machine)
    sanity.check_left(call, None, finish, seconds, DISTURBED, *limits)


@pytest.mark.parametrize("machine", [True], ids=["busy"], indirect=True)
def test_a_busy_machine_would_accuse_an_honest_call_by_the_clock_alone(machine, monkeypatch):
    """The control of the test above."""
    monkeypatch.setattr(sanity, "waited", lambda thread=None: 0.0)
    call, finish, seconds = HONEST["a costly conversion"](machine)
    with pytest.raises(sanity.Suspicious):
        sanity.check_left(call, None, finish, seconds, DISTURBED)


def test_a_first_look_at_a_lazy_array_is_suspicious(machine):
    assert sanity.OF_RESULT.exceeded(sanity.read(Lazy(machine, 0.002), Lazy.read)[1], 0.002)


def test_the_limits_are_those_that_are_documented():
    assert sanity.OF_RESULT.exceeded(0.26 + 31e-6, 1.0) > sanity.OF_RESULT.exceeded(0.25, 1.0)
    assert sanity.OF_DEVICE.exceeded(0.021, 1.0) > sanity.OF_DEVICE.exceeded(0.019, 1.0)
    assert sanity.remembers(1.8e-3, 1e-3) > sanity.remembers(1.7e-3, 1e-3)


def test_a_first_look_that_is_honest_is_enough():
    sanity.check_left(None, None, None, 1e-3, 2e-4)


def test_the_first_tensors_are_those_of_the_fresh_result():
    numbers = iter((1, 2))
    assert sanity.read(None, lambda result: next(numbers))[0] == 1


def test_a_result_that_is_computed_each_time_that_it_is_read_is_found_and_a_conversion_is_not(machine):
    arrays = {"output": np.arange(5.0, 9.0)}

    def finish(seconds):
        machine.work(seconds)
        return arrays

    state = SimpleNamespace(seconds=0.002, x=np.arange(4.0))
    with pytest.raises(sanity.Suspicious, match="computes its result when that is read"):
        sanity.check_reading(state, lambda state: finish(state.seconds), 0.002)
    sanity.check_reading(2e-5, finish, 1e-6)

    def interrupted(seconds):
        machine.wait(0.016)
        return finish(seconds)

    def in_threads(seconds):
        machine.work_in_threads(seconds)
        return arrays

    sanity.check_reading(2e-5, interrupted, 1e-6)
    with pytest.raises(sanity.Suspicious, match="computes its result when that is read"):
        sanity.check_reading(0.002, in_threads, 1e-6)


def test_a_reading_takes_as_long_as_it_likes_where_the_numbers_are_there_before(machine):
    """As where a framework has no bridge to NumPy, and each number goes through a list."""
    numbers = np.random.default_rng(0).standard_normal(300)

    def finish(result):
        machine.work(0.05)
        return {"output": numbers[:200], "h_n": numbers[200:]}

    sanity.check_reading([numbers.astype(np.float32).reshape(3, 100), "x"], finish, 1e-4)
    sanity.check_reading({"a": SimpleNamespace(rows=numbers.tolist())}, finish, 1e-4)
    sanity.check_reading(array("f", numbers.tolist()), finish, 1e-4)
    sanity.check_reading([numbers.tobytes()], finish, 1e-4)
    sanity.check_reading(Slotted(numbers.tolist()), finish, 1e-4)
    with pytest.raises(sanity.Suspicious, match="computes its result when that is read"):
        sanity.check_reading([numbers[:280], numbers[:100]], finish, 1e-4)
    sanity.check_reading([np.array(["a"]), np.array([None]), numbers], finish, 1e-4)


def calls(machine, at_first, again):
    """A mode that takes so many seconds in its first call on a state, and in others; and how to make a state."""

    def call(state):
        machine.work(again if state else at_first)
        state.append(1)

    return call, list


def calls_in_threads(machine, at_first, again):
    """The same, where the first call works in two threads on one processor."""

    def call(state):
        machine.work(again) if state else machine.work_in_threads(at_first)
        state.append(1)

    return call, list


KEPT = {
    "all is kept": (0.002, 1e-6, None),
    "half is kept": (0.002, 0.001, None),
    "half is kept, and more in a mode of more work": (0.002, 0.001, (0.006, 0.003)),
    "it is kept in one mode": (0.002, 0.001, (0.006, 0.006)),
    "it is kept, and waited out": (0.0024, 0.0012, (6e-4, 3e-4)),
}
NOT_KEPT = {
    "nothing is kept": (0.002, 0.002, None),
    "caches are cold at first": (0.0024, 0.002, None),
    "each state is set up": (0.0022, 2e-4, (0.0025, 5e-4)),
    "each state of a short call is set up": (4.1e-4, 2e-4, None),
}


@pytest.mark.parametrize("case", [*KEPT, *NOT_KEPT])
def test_results_that_are_kept_are_told_from_a_state_that_is_set_up(machine, case):
    at_first, again, other = {**KEPT, **NOT_KEPT}[case]
    with pytest.raises(sanity.Suspicious, match="remembers its results") if case in KEPT else nullcontext():
        sanity.check_not_remembered(*calls(machine, at_first, again), other and calls(machine, *other))


def test_what_two_threads_have_kept_is_found(machine):
    """What they wait for each other is no time in which nothing was done."""
    with pytest.raises(sanity.Suspicious, match="remembers its results"):
        sanity.check_not_remembered(*calls_in_threads(machine, 0.002, 1e-6))


def test_a_first_call_in_which_a_thread_waits_for_a_processor_is_no_sign(machine):
    def call(state):
        machine.work(0.003)
        if not state:
            machine.wait(0.025)
        state.append(1)

    sanity.check_not_remembered(call, list)
