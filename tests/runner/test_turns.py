"""Whether the turns of a replicate can be true: clocks, processors, remembered results."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.runner import turns
from benchmarks.runner.sides import ArmFailed
from benchmarks.runner.turns import LOOKS
from benchmarks.worker import requests
from benchmarks.worker.timing import Turn
from tests.helpers.sessions import Answering, row_of


def turn(scale=1.0, extra=0.001, cpu=0.9, first=0.005, read=0.001, call=0.005):
    """A turn of three calls. The worker's clock runs `scale` times as fast as the runner's, whose turn takes longer."""
    truth = first + 3 * call + 2 * read
    return Turn(
        seconds=scale * call, samples=[scale * call] * 3, first_seconds=scale * first, read_seconds=scale * read,
        reread_seconds=scale * read, outside_seconds=truth + extra, outside_cpu_seconds=cpu * (truth + extra),
        inputs=0,
    )  # fmt: skip


def clocks(taken, calls_per_sample):
    request = requests.TakeTurn("b", 3, calls_per_sample, False)
    return turns.clocks([turns.pair_of(turn, request) for turn in taken])


def test_honest_turns_are_not_doubted():
    taken = [turn(), turn(extra=0.3), turn(extra=0.02)]  # some disturbed: at least one was not
    assert clocks(taken, 1) is None
    assert turns.processors(taken, 1) is None
    assert not turns.remembered(taken, 0.005)


@pytest.mark.parametrize("scale", [0.0, 0.37, 0.75, 1.2, 3.0])
def test_a_clock_that_runs_slow_fast_or_not_at_all_is_found(scale):
    assert "its clock is wrong" in clocks([turn(scale), turn(scale, extra=0.01)], 1)


def test_a_clock_that_ran_fast_once_is_wrong_and_one_that_seemed_slow_once_is_not():
    assert clocks([turn(), turn(1.2)], 1) is not None
    assert clocks([turn(), turn(0.5)], 1) is None


@given(st.lists(st.floats(1e-4, 1.0), min_size=1, max_size=6), st.floats(1e-4, 0.0009))
def test_messages_that_take_long_are_no_proof_while_one_did_not(delays, least):
    assert clocks([turn(extra=delay) for delay in [*delays, least]], 1) is None


def test_samples_of_several_calls_are_counted_with_their_calls():
    many = turn()
    many.samples = [0.001] * 3
    assert clocks([many], 5) is None
    assert clocks([many], 1) is not None


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


class Late(Answering):
    """An arm whose first turns come later by the runner's clock: by these seconds, and as a share of the turn.

    Its calls take a millisecond. Its own clock runs so fast, as a share.
    """

    def __init__(self, monkeypatch, late, seconds=0.0, share=1.0, scale=1.0):
        super().__init__({requests.TakeTurn: self.taken})
        self.late, self.seconds, self.share, self.scale = late, seconds, share, scale
        monkeypatch.setattr(turns, "time", SimpleNamespace(perf_counter=lambda: self.now, time=lambda: 0.0))

    def taken(self, request):
        truth = 0.001 * request.samples * request.calls_per_sample
        self.now += (self.seconds + self.share * truth) * (self.kinds.count("TakeTurn") <= self.late)
        self.now += truth - self.scale * 0.001 * request.samples  # what follows adds the samples
        return requests.Taken(Turn(seconds=0.001, samples=[self.scale * 0.001] * request.samples), [])


REQUEST = requests.TakeTurn("b", 3, 1, False)


def checked(arm):
    """Check a row whose two turns were late."""
    taken = [Turn(seconds=0.001, samples=[0.001] * 3, outside_seconds=1.0) for _ in range(2)]
    row = row_of("mine", seconds=0.001, calls_per_sample=1, turns=taken)
    turns.check_plausible(arm, row, REQUEST)
    return row


@pytest.mark.parametrize("late", [0, 1, 5])
def test_where_every_turn_was_disturbed_longer_turns_are_taken_until_one_is_right(monkeypatch, late):
    arm = Late(monkeypatch, late)
    assert len(checked(arm).turns) == 2, "further turns are no part of the measurement"
    assert [request.calls_per_sample for request in arm.asked] == [2**k for k in range(1, late + 2)]


def test_on_a_busy_machine_a_longer_turn_shows_that_a_clock_is_right(monkeypatch):
    checked(Late(monkeypatch, 1000, seconds=0.06, share=0.0))
    wrong = Late(monkeypatch, 1000, seconds=0.06, share=0.0, scale=0.75)
    with pytest.raises(ArmFailed, match="error: its clock is wrong"):
        checked(wrong)
    assert wrong.asked[-1].calls_per_sample > 500
    assert len(wrong.asked) <= LOOKS


def test_an_arm_that_has_died_can_not_show_that_its_clock_is_right(monkeypatch):
    arm = Late(monkeypatch, 0)
    arm.alive = False
    with pytest.raises(ArmFailed, match="its clock is wrong"):
        checked(arm)
    assert arm.asked == []


def test_a_turn_has_what_the_runner_saw_of_it(monkeypatch):
    taken = turns.take(Late(monkeypatch, 1, seconds=1.0), REQUEST)
    assert (taken.started, taken.outside_seconds) == (0.0, pytest.approx(1.006))
    assert taken.outside_cpu_seconds > 0


def test_a_turn_in_which_a_process_of_its_own_worked_or_threads_were_added_fails(monkeypatch):
    arm = Late(monkeypatch, 0)
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
        turns.check_plausible(arm, row, requests.TakeTurn("b", 3, 1, False))
    assert arm.kinds == (["Inspect"] if alive else [])
