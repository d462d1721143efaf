"""Whether the turns of a replicate can be true: processors, remembered results."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from benchmarks.runner import turns
from benchmarks.runner.sides import ArmFailed
from benchmarks.worker import requests
from benchmarks.worker.timing import Turn
from tests.helpers.sessions import Answering, row_of


def turn(cpu=0.9, first=0.005, call=0.005):
    """A turn of three calls."""
    took = first + 3 * call
    return Turn(
        seconds=call, samples=[call] * 3, first_seconds=first, outside_seconds=took, outside_cpu_seconds=cpu * took,
        inputs=0,
    )  # fmt: skip


def test_more_processors_than_given_are_found():
    assert turns.processors([turn(cpu=1.09)], 1) is None
    assert "1.15 processors" in turns.processors([turn(cpu=1.2), turn(cpu=1.1)], 1)
    assert turns.processors([turn(cpu=1.2)], 2) is None


def test_results_that_were_remembered_are_found_where_every_set_of_inputs_was_slow_at_first():
    taken = [turn(first=0.02), turn(first=0.00001), turn(first=0.00001)]
    taken[1].inputs, taken[2].inputs = None, 0  # goes on; and inputs that were seen before
    assert turns.remembered(taken, 0.00001)
    taken[2].inputs = 1  # new, and quick
    assert not turns.remembered(taken, 0.00001)
    for each in taken:
        each.inputs = None  # none began with new inputs
    assert not turns.remembered(taken, 0.00001)


REQUEST = requests.TakeTurn("b", 3, 1, False)


def test_a_turn_has_what_the_runner_saw_of_it(monkeypatch):
    clock = iter((5.0, 6.5))
    monkeypatch.setattr(turns, "time", SimpleNamespace(perf_counter=lambda: next(clock), time=lambda: 0.0))
    taken = turns.take(Answering(), REQUEST)
    assert (taken.started, taken.outside_seconds) == (0.0, 1.5)
    assert taken.outside_cpu_seconds > 0


def test_a_turn_in_which_a_process_of_its_own_worked_or_threads_were_added_fails():
    arm = Answering()
    arm.watch.busy_helper = lambda before, seconds: "a process that it has started used a processor"
    with pytest.raises(ArmFailed, match="used a processor"):
        turns.take(arm, requests.TakeTurn("b", 1, 1, True))
    turns.take(arm, REQUEST)  # not every turn is looked at, since that takes long
    seen = []
    arm.check_from_outside = seen.append
    arm.answers[requests.TakeTurn] = lambda _: requests.Taken(Turn(seconds=1.0, samples=[1.0]), [1, 8])
    turns.take(arm, REQUEST)
    assert seen == [[1, 8]]


@pytest.mark.parametrize(("alive", "reason"), [(True, None), (False, "it died before its times could be checked")])
def test_what_may_have_remembered_its_results_is_looked_at_again(alive, reason):
    arm = Answering()
    arm.alive = alive
    row = row_of("mine", seconds=0.0001, turns=[turn(first=0.02, call=0.0001)])
    with pytest.raises(ArmFailed, match=reason) if reason else nullcontext():
        turns.check_plausible(arm, row, "b")
    assert arm.kinds == (["Inspect"] if alive else [])
