"""What the runner sees of a turn, and the processors that turns may take."""

from types import SimpleNamespace

import pytest

from benchmarks.runner import turns
from benchmarks.runner.sides import ArmFailed
from benchmarks.worker import requests
from benchmarks.worker.timing import Turn
from tests.helpers.sessions import Answering


def turn(cpu):
    """A turn of 20 ms in which so many processors were used."""
    return Turn(seconds=0.005, outside_seconds=0.02, outside_cpu_seconds=cpu * 0.02)


def test_more_processors_than_given_are_refused():
    turns.check_processors([turn(cpu=1.09)], 1)
    turns.check_processors([turn(cpu=1.2)], 2)
    with pytest.raises(ArmFailed, match=r"1\.15 processors"):
        turns.check_processors([turn(cpu=1.2), turn(cpu=1.1)], 1)


REQUEST = requests.TakeTurn("b", 3, 1, False)


def test_a_turn_has_what_the_runner_saw_of_it(monkeypatch):
    clock = iter((5.0, 6.5))
    monkeypatch.setattr(turns, "time", SimpleNamespace(perf_counter=lambda: next(clock), time=lambda: 0.0))
    taken = turns.take(Answering(), REQUEST)
    assert (taken.started, taken.outside_seconds) == (0.0, 1.5)
    assert taken.outside_cpu_seconds > 0


def test_the_sizes_of_thread_pools_are_looked_at_after_a_turn():
    arm, seen = Answering(), []
    arm.check_from_outside = seen.append
    arm.answers[requests.TakeTurn] = lambda _: requests.Taken(Turn(seconds=1.0, samples=[1.0]), [1, 8])
    turns.take(arm, REQUEST)
    assert seen == [[1, 8]]
