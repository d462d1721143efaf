"""Which turns of a replicate are checked, what an arm is asked in a turn, and whether its times can be true."""

import random
from types import SimpleNamespace

import pytest

from benchmarks.cases import Benchmark
from benchmarks.progress import Stopwatch
from benchmarks.record import Record
from benchmarks.runner import plausible, turns
from benchmarks.runner.arm import ArmFailed
from benchmarks.runner.blocks import CHECKED, Entry, Replicate
from benchmarks.runner.plausible import LOOKS
from benchmarks.worker import requests, timing
from benchmarks.worker.timing import Turn


@pytest.fixture
def replicate():
    found = Replicate([], lambda benchmark: None, 3, random.Random(0), Stopwatch())
    found.chance = random.Random(1)  # what is random here must not be so in a test
    return found


def test_the_first_and_the_last_turn_begin_with_different_inputs_and_are_checked(replicate):
    for updates in (False, True):
        assert replicate.check_of(0, updates) == (0, True)
        assert replicate.check_of(5, updates) == (1, True)


def test_turns_between_are_checked_at_random_on_the_inputs_that_they_have(replicate):
    found = [replicate.check_of(3, updates=False) for _ in range(4000)]
    assert abs(sum(checked for _, checked in found) / 4000 - CHECKED) < 0.03
    assert {inputs for inputs, _ in found} == {None}


def test_a_step_that_changes_parameters_is_checked_on_new_inputs_only(replicate):
    found = [replicate.check_of(3, updates=True) for _ in range(1000)]
    assert (None, True) not in found
    assert {(0, True), (1, True), (None, False)} == set(found)


class Answering:
    """An arm that answers everything, and keeps what it was asked."""

    implementation = SimpleNamespace(is_peak=False)
    alive = True
    watch = SimpleNamespace(helpers=dict, cpu_seconds=lambda: 0.0, busy_helper=lambda *_: None)

    def __init__(self):
        self.asked = []

    def ask(self, request, stop=True):
        self.asked.append(request)
        if isinstance(request, requests.TakeTurn):
            return requests.Taken(Turn(seconds=1e-3, samples=[1e-3]), [])
        if isinstance(request, requests.Pipeline):
            return requests.Pipelined(0.001, 0.0008, 5.0)
        return None

    def check_from_outside(self, pools=()):
        pass


@pytest.mark.parametrize("warm", [0, 7])
def test_a_turn_is_got_ready_taken_and_compared(replicate, warm):
    arm = Answering()
    benchmark = Benchmark.parse("t4-b2-i8-h8/sequence/forward")
    row = Record(
        run_id="r", implementation="torch_lstm", problem="t4-b2-i8-h8", workload="sequence", mode="forward",
        replicate=0, turns=[],
    )  # fmt: skip
    replicate.take_turn(Entry(benchmark, arm, timing.Plan(3, 1, warm), row, "expected"), 0, 0)
    kinds = [type(request).__name__ for request in arm.asked]
    assert kinds == ["GetReady", "TakeTurn", "Compare"]
    assert (arm.asked[0].calls, arm.asked[0].inputs) == (warm, 0)


@pytest.mark.parametrize(("seconds", "calls"), [(1e-5, 200), (0.002, 25), (3.0, 2)])
def test_calls_without_a_wait_go_on_for_a_moment(replicate, seconds, calls):
    arm, benchmark = Answering(), Benchmark.parse("t4-b2-i8-h8/sequence/forward")
    row = SimpleNamespace(seconds=seconds)
    replicate.pipeline(Entry(benchmark, arm, timing.Plan(3, 1), row, "expected"))
    (asked,) = arm.asked
    assert (asked.benchmark, asked.calls) == (benchmark.id, calls)
    assert asked.warm >= 3
    assert asked.warm * seconds >= 0.02
    assert (row.pipelined_seconds, row.gpu_seconds, row.gpu_kernels) == (0.001, 0.0008, 5.0)


def test_the_peak_has_no_calls_without_a_wait(replicate):
    arm = Answering()
    arm.implementation = SimpleNamespace(is_peak=True)
    replicate.pipeline(SimpleNamespace(arm=arm, row=SimpleNamespace(seconds=1.0)))
    assert arm.asked == []


def test_where_pipelining_fails_the_row_keeps_its_times_and_says_why(replicate):
    class Failing(Answering):
        alive = True

        def ask(self, request, stop=True):
            raise ArmFailed("disagrees", "forward, without its wait: output is missing")

    benchmark = Benchmark.parse("t4-b2-i8-h8/sequence/forward")
    row = SimpleNamespace(seconds=1e-3, pipelined_seconds=None, reason="", status="ok")
    replicate.pipeline(Entry(benchmark, Failing(), timing.Plan(3, 1), row, "expected"))
    assert (row.seconds, row.pipelined_seconds, row.status) == (1e-3, None, "ok")
    assert row.reason == "not pipelined: disagrees: forward, without its wait: output is missing"
    assert replicate.failed == []


def test_an_arm_that_has_died_is_asked_nothing_more(replicate):
    arm = Answering()
    arm.alive = False
    row = SimpleNamespace(seconds=1e-3)
    entry = SimpleNamespace(arm=arm, row=row)
    replicate.pipeline(entry)
    replicate.close([{"run": entry}])
    assert arm.asked == []


def entry_of(arm, **changes):
    """An arm at a benchmark, whose row is changed in this way."""
    row = Record(
        run_id="r", implementation="torch_lstm", problem="t4-b2-i8-h8", workload="sequence", mode="forward",
        replicate=0, **changes,
    )  # fmt: skip
    benchmark = Benchmark.parse("t4-b2-i8-h8/sequence/forward")
    return Entry(benchmark, arm, timing.Plan(3, 1), row, "expected")


class Late(Answering):
    """An arm whose further turns are right by its own clock, and later by these seconds by the runner's."""

    limits = SimpleNamespace(cores=(0,))

    def __init__(self, monkeypatch, *late):
        super().__init__()
        self.now, self.late = 0.0, iter(late)
        monkeypatch.setattr(turns, "time", SimpleNamespace(perf_counter=lambda: self.now, time=lambda: self.now))

    def ask(self, request, stop=True):
        answered = super().ask(request, stop)
        self.now += answered.turn.samples[0] * request.calls_per_sample + next(self.late, 0.0)
        return answered


LATE = 1.0
"""Seconds."""


def entry_whose_turns_were_late(arm):
    turns = [Turn(seconds=1e-3, samples=[1e-3], outside_seconds=1e-3 + LATE) for _ in range(2)]
    return entry_of(arm, seconds=1e-3, calls_per_sample=1, turns=turns)


@pytest.mark.parametrize("late", [0, 1, LOOKS - 1])
def test_where_every_turn_was_disturbed_further_turns_are_taken_until_one_is_right(monkeypatch, late):
    arm = Late(monkeypatch, *[LATE] * late)
    entry = entry_whose_turns_were_late(arm)
    plausible.check(arm, entry.row, entry.turn())
    assert [type(request) for request in arm.asked] == [requests.TakeTurn] * (late + 1)
    assert len(entry.row.turns) == 2  # further turns are no part of the measurement


def test_where_every_further_turn_is_late_too_the_clock_is_wrong(monkeypatch):
    arm = Late(monkeypatch, *[LATE] * 1000)
    entry = entry_whose_turns_were_late(arm)
    with pytest.raises(ArmFailed, match="error: its clock is wrong"):
        plausible.check(arm, entry.row, entry.turn())
    assert len(arm.asked) == LOOKS


def test_an_arm_that_has_died_can_not_show_that_its_clock_is_right(monkeypatch):
    arm = Late(monkeypatch)
    arm.alive = False
    entry = entry_whose_turns_were_late(arm)
    with pytest.raises(ArmFailed, match="its clock is wrong"):
        plausible.check(arm, entry.row, entry.turn())
    assert arm.asked == []
