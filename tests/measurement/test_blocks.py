"""Which turns of a replicate are checked, and what an arm is asked in a turn."""

import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.cases import Benchmark
from benchmarks.measurement import protocol, timing
from benchmarks.measurement.blocks import CHECKED, Job, Replicate
from benchmarks.measurement.timing import Turn
from benchmarks.record import Record
from benchmarks.stopwatch import Stopwatch


@pytest.fixture
def replicate():
    found = Replicate([], lambda benchmark: None, 3, random.Random(0), Stopwatch())
    found.chance = random.Random(1)  # what is random here must not be so in a test
    return found


def test_the_first_and_the_last_turn_begin_with_different_inputs_and_are_checked(replicate):
    for updates in (False, True):
        assert replicate.check_of(0, 6, updates) == (0, True)
        assert replicate.check_of(5, 6, updates) == (1, True)


def test_turns_between_are_checked_at_random_on_the_inputs_that_they_have(replicate):
    found = [replicate.check_of(3, 6, updates=False) for _ in range(4000)]
    assert abs(sum(checked for _, checked in found) / 4000 - CHECKED) < 0.03
    assert {inputs for inputs, _ in found} == {None}


def test_a_step_that_changes_parameters_is_checked_on_new_inputs_only(replicate):
    found = [replicate.check_of(3, 6, updates=True) for _ in range(1000)]
    assert (None, True) not in found
    assert {(0, True), (1, True), (None, False)} == set(found)


class Answering:
    """An arm that answers everything, and keeps what it was asked."""

    implementation = SimpleNamespace(is_floor=False)
    watch = SimpleNamespace(helpers=dict, cpu_seconds=lambda: 0.0, busy_helper=lambda *_: None)

    def __init__(self):
        self.asked = []

    def ask(self, request, answer, stop=True):
        self.asked.append(request)
        if answer is protocol.Taken:
            return protocol.Taken(Turn(seconds=1e-3, samples=[1e-3]), [])
        return protocol.Done()

    def check_from_outside(self, pools):
        pass


@pytest.mark.parametrize("warm", [0, 7])
def test_a_device_is_warmed_up_before_new_inputs_are_loaded(replicate, warm):
    """The first call of a turn is timed on inputs that are new: warming up on them would hide what is remembered."""
    arm, key = Answering(), ("run", "torch_lstm")
    benchmark = Benchmark.parse("t4-b2-i8-h8/sequence/forward")
    row = Record(
        run_id="r", implementation="torch_lstm", problem="t4-b2-i8-h8", workload="sequence", mode="forward",
        replicate=0, turns=[],
    )  # fmt: skip
    replicate.jobs = [Job(benchmark, {key: arm}, {key: timing.Plan(3, 1, warm)}, {key: row}, Path("expected"))]
    replicate.take_turn(0, key, 0, 0)
    kinds = [type(request).__name__ for request in arm.asked]
    assert kinds == [*(["Warm"] if warm else []), "Load", "TakeTurn", "Compare"]
    assert [request.calls for request in arm.asked if isinstance(request, protocol.Warm)] == ([warm] if warm else [])
