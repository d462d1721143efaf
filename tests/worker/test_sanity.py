"""Work that is left for later, and remembered results. Nothing here passes or fails by elapsed time alone: waiting
stands for work, and only its order matters."""

import threading
import time

import pytest

from benchmarks.worker import sanity
from tests.helpers.devices import Asynchronous


def work(seconds=0.002):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


class Lazy:
    """A result that is computed when it is read."""

    def __init__(self, seconds=0.002):
        self.seconds = seconds
        self.done = False

    def read(self):
        if not self.done:
            work(self.seconds)
            self.done = True


def in_a_thread(state):
    thread = threading.Thread(target=time.sleep, args=(0.005,))
    thread.start()
    return thread


def check(call, finish, seconds):
    sanity.check_left(call, None, finish, seconds, sanity.read(call(None), finish))


def test_lazy_arrays_threads_and_queues_are_found():
    queue = Asynchronous()
    for call, finish in (
        (lambda state: Lazy(), Lazy.read),
        (in_a_thread, threading.Thread.join),
        (lambda state: queue.submit(0.002), lambda result: queue.drain()),
    ):
        with pytest.raises(sanity.Suspicious, match="returns before its work is done"):
            check(call, finish, 0.0002)


def test_work_that_is_half_left_is_found():
    def call(state):
        work()
        return Lazy()

    with pytest.raises(sanity.Suspicious, match="returns before its work is done"):
        check(call, Lazy.read, 0.002)


def test_a_call_that_waits_for_its_work_is_not_accused():
    queue = Asynchronous()
    check(lambda state: (queue.submit(0.002), queue.drain()), lambda result: queue.drain(), 0.002)


def test_a_costly_conversion_is_not_accused():
    """It costs the same again. Even where the call itself is much shorter."""
    check(lambda state: None, lambda result: work(0.003), 0.0001)


def test_a_disturbed_reading_is_no_proof():
    disturbed = sanity.Reading(None, 1.0, 0.0001)
    assert sanity.OF_RESULT.exceeded(disturbed.longer, 0.002)
    sanity.check_left(lambda state: None, None, lambda result: None, 0.002, disturbed)


def test_work_that_is_mostly_left_is_found_although_some_readings_look_finished():
    numbers = iter(range(1000))

    def call(state):
        lazy = Lazy()
        if next(numbers) % 3 == 0:  # as a thread whose work was done meanwhile
            lazy.read()
        return lazy

    with pytest.raises(sanity.Suspicious, match="returns before its work is done"):
        sanity.check_left(call, None, Lazy.read, 0.0002, sanity.read(Lazy(), Lazy.read))


def test_readings_that_are_disturbed_now_and_then_are_no_proof():
    numbers = iter(range(1000))
    disturbed = lambda result: work() if next(numbers) % 6 == 0 else None  # noqa: E731
    sanity.check_left(lambda state: None, None, disturbed, 0.0002, sanity.Reading(None, 1.0, 0.0))


def test_a_disturbance_that_lasts_makes_calls_long_too_and_is_no_proof():
    """A timed call took 0.1 ms. Now a call takes 4 ms, and a first reading 0.5 ms longer than a second one."""
    disturbed = sanity.Reading(None, 1.0, 0.0)
    sanity.check_left(lambda state: (work(0.004), Lazy(0.0005))[1], None, Lazy.read, 0.0001, disturbed)
    with pytest.raises(sanity.Suspicious):  # the control: a lazy one, whose calls are short now as before
        sanity.check_left(lambda state: Lazy(0.0005), None, Lazy.read, 0.0001, disturbed)


def drained(call, device, seconds):
    wait = lambda _: device.drain()  # noqa: E731
    sanity.check_left(call, None, wait, seconds, sanity.read(call(None), wait), sanity.OF_DEVICE)


def test_a_call_that_does_not_wait_for_its_device_is_found():
    device = Asynchronous()
    with pytest.raises(sanity.Suspicious, match="returns before its device is done"):
        drained(lambda state: device.submit(0.002), device, 0.0001)


def test_a_call_that_leaves_a_tenth_is_found_where_reading_its_result_does_not_tell():
    """Such as a cell whose kernels are launched one after another: the device is nearly done when it returns."""
    device = Asynchronous()

    def call(state):
        work(0.002)
        device.submit(0.0002)

    sanity.check_left(call, None, lambda result: device.drain(), 0.002, sanity.read(call(None), lambda _: None))
    with pytest.raises(sanity.Suspicious, match="returns before its device is done"):
        drained(call, device, 0.002)


def test_a_call_that_waits_for_its_device_is_not_accused():
    device = Asynchronous()
    drained(lambda state: (device.submit(0.0005), device.drain()), device, 0.0005)


def test_a_device_that_is_busy_now_and_then_is_no_proof():
    numbers, device = iter(range(1000)), Asynchronous()
    drained(lambda state: device.submit(0.002 if next(numbers) % 4 == 0 else 0), device, 0.0005)


def test_the_first_tensors_are_those_of_the_fresh_result():
    numbers = iter((1, 2))
    assert sanity.read(None, lambda result: next(numbers)).arrays == 1


def test_a_call_that_remembers_is_found_and_one_that_works_is_not():
    def remembers(state):
        if not state:
            work()
            state.append(1)

    with pytest.raises(sanity.Suspicious, match="remembers its results"):
        sanity.check_not_remembered(remembers, [], list)
    sanity.check_not_remembered(lambda state: work(), [], list)
