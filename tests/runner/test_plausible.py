"""Whether the turns of a replicate can be true: clocks, processors, remembered results."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.record import Record
from benchmarks.runner import plausible, turns
from benchmarks.runner.arm import ArmFailed
from benchmarks.worker.requests import Taken, TakeTurn
from benchmarks.worker.timing import Turn


def turn(scale=1.0, extra=0.001, cpu=0.9, first=0.005, read=0.001, call=0.005):
    """A turn of three calls. The worker's clock runs `scale` times as fast as the runner's, whose turn takes longer."""
    truth = first + 3 * call + 2 * read
    return Turn(
        seconds=scale * call, samples=[scale * call] * 3, first_seconds=scale * first, read_seconds=scale * read,
        reread_seconds=scale * read, outside_seconds=truth + extra, outside_cpu_seconds=cpu * (truth + extra),
        inputs=0,
    )  # fmt: skip


def clocks(taken, calls_per_sample):
    request = TakeTurn("b", 3, calls_per_sample, False)
    return plausible.clocks([plausible.pair_of(turn, request) for turn in taken])


def test_honest_turns_are_not_doubted():
    turns = [turn(), turn(extra=0.3), turn(extra=0.02)]  # some disturbed: at least one was not
    assert clocks(turns, 1) is None
    assert plausible.processors(turns, 1) is None
    assert not plausible.remembered(turns, 0.005)


@pytest.mark.parametrize("scale", [0.0, 0.37, 0.75, 1.2, 3.0])
def test_a_clock_that_runs_slow_fast_or_not_at_all_is_found(scale):
    assert "its clock is wrong" in clocks([turn(scale), turn(scale, extra=0.01)], 1)


@given(st.lists(st.floats(1e-4, 1.0), min_size=1, max_size=6), st.floats(1e-4, 0.0009))
def test_messages_that_take_long_are_no_proof_while_one_did_not(delays, least):
    assert clocks([turn(extra=delay) for delay in [*delays, least]], 1) is None


def test_samples_of_several_calls_are_counted_with_their_calls():
    many = turn()
    many.samples = [0.001] * 3
    assert clocks([many], 5) is None
    assert clocks([many], 1) is not None


def test_more_processors_than_given_are_found():
    assert plausible.processors([turn(cpu=1.09)], 1) is None
    assert plausible.processors([turn(cpu=1.2), turn(cpu=1.1)], 1) == "it used 1.15 processors; it was given 1"
    assert plausible.processors([turn(cpu=1.2)], 2) is None


def test_results_that_were_remembered_after_the_first_call_are_found():
    turns, quick = [turn(first=0.02), turn(first=0.03)], turn(first=0.0003)
    turns[1].inputs, quick.inputs = 1, 2
    assert plausible.remembered(turns, 0.0001)
    assert not plausible.remembered([*turns, quick], 0.0001)  # one first call was quick
    for one in turns:
        one.inputs = None  # these did not begin with new inputs
    assert not plausible.remembered(turns, 0.0001)


def test_a_first_call_counts_where_its_inputs_were_new():
    turns = [turn(first=0.02), turn(first=0.00001), turn(first=0.00001)]
    turns[1].inputs, turns[2].inputs = None, 0  # goes on; and inputs that were seen before
    assert plausible.remembered(turns, 0.00001)
    turns[2].inputs = 1
    assert not plausible.remembered(turns, 0.00001)


class Waiting:
    """An arm on a machine so busy that a turn of 3 ms takes 60 ms more. Its clock runs so fast, as a share."""

    alive, limits = True, SimpleNamespace(cores=(0,))

    def __init__(self, scale, monkeypatch):
        self.scale, self.now, self.asked = scale, 0.0, []
        self.watch = SimpleNamespace(cpu_seconds=lambda: self.now / 20)
        self.check_from_outside = lambda threads: None
        monkeypatch.setattr(turns, "time", SimpleNamespace(perf_counter=lambda: self.now, time=lambda: self.now))

    def ask(self, request, stop=True):
        self.asked.append(request)
        self.now += 0.06 + 0.001 * request.samples * request.calls_per_sample
        return Taken(Turn(seconds=0.001, samples=[self.scale * 0.001] * request.samples), [])


def times_of(arm):
    """Check the row of an arm that took three such turns."""
    request = TakeTurn("b", 3, 1, False)
    taken = [turns.take(arm, request) for _ in range(3)]
    row = Record(run_id="r", implementation="x", problem="p", workload="w", mode="m", replicate=0, turns=taken)
    assert "its clock is wrong" in clocks(taken, 1)
    return plausible.check(arm, row, request)


def test_on_a_busy_machine_a_longer_turn_shows_that_a_clock_is_right(monkeypatch):
    times_of(Waiting(1.0, monkeypatch))
    wrong = Waiting(0.75, monkeypatch)
    with pytest.raises(ArmFailed, match="its clock is wrong"):
        times_of(wrong)
    assert wrong.asked[-1].calls_per_sample > 500
