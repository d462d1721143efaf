"""A replicate: which turns are checked, what an arm is asked in a turn, what its row gets, and what a failure costs.

And what the runner sees of a turn, and the processors that turns may take.
"""

import random
from types import SimpleNamespace

import pytest

from benchmarks.cases import Benchmark
from benchmarks.runner import blocks, round_trip
from benchmarks.runner.blocks import Entry, Replicate
from benchmarks.runner.sides import ArmFailed
from benchmarks.worker import requests
from benchmarks.worker.timing import Plan, Turn
from tests.helpers.sessions import BENCHMARK, Answering, row_of

FORWARD = "t4-b2-i8-h8/sequence/forward"
LATER = "t5-b2-i8-h8/sequence/forward"
CRASH = ArmFailed("crashed", "exited with code 9")


def entry_of(arm, benchmark=FORWARD, **known):
    """An arm at a benchmark, whose row knows this."""
    row = row_of("numpy_lstm", benchmark=benchmark, versions="numpy 2", **known)
    return Entry(Benchmark.parse(benchmark), arm, Plan(3, 1), row)


def replicate_of(*jobs, blocks=3):
    opened = (lambda benchmark: requests.Open(benchmark.id, 0, None, 0), lambda _: "expected")
    return Replicate(jobs, *opened, blocks, random.Random(1))


def measure(*jobs, blocks=3, pipelined=False):
    """Measure the jobs, and return the failures: benchmark, status and reason."""
    replicate_of(*jobs, blocks=blocks).measure(lambda share: None, pipelined)
    rows = [entry.row for job in jobs for entry in job]
    return [(row.benchmark, row.status, row.reason) for row in rows if row.status != "ok"]


@pytest.fixture
def arms(monkeypatch):
    """Two arms with a clock of their own, and no pause between blocks."""
    found = Answering(), Answering()
    clock = SimpleNamespace(perf_counter=lambda: sum(arm.now for arm in found), time=lambda: 0.0, sleep=lambda _: None)
    monkeypatch.setattr(blocks, "time", clock)
    monkeypatch.setattr(blocks, "SPACING_SECONDS", 0.0)
    monkeypatch.setattr(round_trip, "seconds", lambda _: 1e-7)
    return found


def test_the_first_and_the_last_turn_begin_with_different_inputs_and_are_checked():
    for updates in (False, True):
        assert replicate_of().check_of(1, updates) == (0, True)
        assert replicate_of().check_of(6, updates) == (1, True)


def test_turns_between_are_checked_at_random_and_where_calls_update_parameters_on_new_inputs_only():
    replicate = replicate_of()
    found = [replicate.check_of(3, updates=False) for _ in range(4000)]
    assert abs(sum(checked for _, checked in found) / 4000 - 1 / 4) < 0.03
    assert {inputs for inputs, _ in found} == {None}
    assert {replicate.check_of(3, updates=True) for _ in range(1000)} == {(0, True), (1, True), (None, False)}


@pytest.mark.parametrize("warm", [0, 7])
def test_a_turn_is_got_ready_taken_and_compared(arms, warm):
    entry = entry_of(arms[0], turns=[])
    entry.plan = Plan(3, 1, warm)
    replicate_of().take_turn(entry, 0, 0)
    assert arms[0].kinds == ["TakeTurn", "Compare"]
    assert (arms[0].asked[0].plan.warm, arms[0].asked[0].inputs) == (warm, 0)
    assert arms[0].asked[1].prefix == "0/1", "the set of inputs, and the steps that a mode without updates takes"
    model = entry_of(arms[1], "t4-b2-i8-h8/model/train_step", turns=[])
    replicate_of().take_turn(model, 0, 0)
    assert arms[1].asked[-1].prefix == "0/4", "each of its calls is a step"


def test_a_replicate_visits_every_benchmark_in_each_block_and_mirrors_its_turns(arms):
    order = []
    for name, arm in zip("ab", arms, strict=True):
        usual = arm.answers[requests.TakeTurn]
        arm.answers[requests.TakeTurn] = lambda request, name=name, usual=usual: (
            order.append((request.benchmark, name)) or usual(request)
        )
    jobs = [[entry_of(arm, benchmark) for arm in arms] for benchmark in (FORWARD, LATER)]
    assert measure(*jobs, blocks=20) == []
    visits = [order[start : start + 4] for start in range(0, len(order), 4)]
    assert len(visits) == 2 * 20
    for visit in visits:
        assert len({benchmark for benchmark, _ in visit}) == 1, "one benchmark at a time"
        names = [name for _, name in visit]
        assert names in (["a", "b", "b", "a"], ["b", "a", "a", "b"])
    firsts = [visit[0] for visit in visits]
    assert all({firsts[k][0], firsts[k + 1][0]} == {FORWARD, LATER} for k in range(0, len(firsts), 2))
    assert len(set(firsts)) == 4, "who begins, and with what, is random"
    for job in jobs:
        found = sorted((turn.block, turn.position) for entry in job for turn in entry.row.turns)
        assert found == [(block, position) for block in range(20) for position in range(4)]


def test_a_row_gets_the_median_over_its_turns_and_what_opening_took(arms):
    seconds = iter([0.9, 1.0, 1.0, 1.0, 5.0, 1.3])  # by turn; its samples have other medians
    arms[0].answers[requests.TakeTurn] = lambda _: requests.Taken(
        Turn(seconds=next(seconds), samples=[0.8, 1.0, 1.0], cpu_seconds=1.5, wall_seconds=2.0), 1.0, []
    )
    entry = entry_of(arms[0])
    assert measure([entry]) == []
    row = entry.row
    assert (row.seconds, row.cores_used, row.calls_per_sample) == (1.0, 0.75, 1)
    assert (row.peak_bytes, row.warm_first_call_seconds) == (2**20, 2.0)
    assert (row.turns[0].inputs, row.turns[-1].inputs) == (0, 1)
    assert arms[0].kinds[0] == "Open"


@pytest.mark.parametrize(("first_seconds", "asked"), [(1.4, 0), (1.7, 2)])
def test_a_first_call_on_new_inputs_that_took_far_longer_is_looked_into(arms, first_seconds, asked):
    """A cache may begin after the admission."""
    arms[0].answers[requests.TakeTurn] = lambda _: requests.Taken(Turn(seconds=1.0, samples=[1.0]), first_seconds, [])
    assert measure([entry_of(arms[0], FORWARD)]) == []
    assert arms[0].kinds.count("CheckRemembered") == asked


def test_a_row_whose_times_can_not_be_true_fails(arms, monkeypatch):
    """Its calls took two processors by the kernel."""
    monkeypatch.setattr(blocks.process_tree, "cpu_seconds", lambda _: 2 * arms[0].now)
    entry = entry_of(arms[0])
    ((_, status, reason),) = measure([entry])
    assert (status, "2.00 processors" in reason, entry.is_open) == ("error", True, False)


@pytest.mark.parametrize("dies", [False, True])
def test_a_failure_in_a_turn_costs_its_own_benchmark_and_a_dead_process_is_replaced(arms, dies):
    def taken(request):
        if request.benchmark == FORWARD and arms[0].kinds.count("TakeTurn") > 4:
            arms[0].alive = not dies
            return CRASH
        return requests.Taken(Turn(seconds=1.0, samples=[1.0]), 1.0, [])

    arms[0].answers[requests.TakeTurn] = taken
    jobs = [[entry_of(arms[0], text), entry_of(arms[1], text)] for text in (FORWARD, LATER)]
    ((benchmark, status, reason),) = measure(*jobs)
    assert (benchmark, status) == (FORWARD, "crashed")
    assert "exited with code 9 (in turn " in reason
    turns = [entry.row.turns for job in jobs for entry in job]
    assert [len(of_row or ()) for of_row in turns] == [0, 6, 6, 6], "what failed has no time"
    opened = [request.benchmark for request in arms[0].asked if isinstance(request, requests.Open)]
    assert sorted(opened) == sorted([FORWARD, LATER, *([LATER] if dies else [])])
    if dies:  # the new process has no inputs yet
        again = arms[0].kinds.index("Open", 2)
        assert next(ask for ask in arms[0].asked[again:] if isinstance(ask, requests.TakeTurn)).inputs is not None


def test_an_arm_with_other_versions_than_at_its_admission_is_not_measured():
    """Its environment may have been built anew in the meantime."""
    entry = entry_of(Answering(versions="numpy 3"))
    ((_, status, reason),) = measure([entry], blocks=1)
    assert status == "error"
    assert "numpy 2" in reason
    assert "numpy 3" in reason
    assert entry.arm.asked == []
    assert entry.row.turns is None


@pytest.mark.parametrize("of", ["the machine", "its GPU"])
def test_benchmarks_that_do_not_fit_together_are_measured_in_groups(arms, monkeypatch, of):
    """Here memory is always scarce, so each is a group of its own: it is released before the next is opened."""
    monkeypatch.setattr(blocks, "scarce", lambda: of == "the machine")
    if of == "its GPU":
        arms[0].answers[requests.Open] = requests.Opened(2.0, 2**20, free=0.2)
    texts = (BENCHMARK, FORWARD, LATER)
    assert measure(*([entry_of(arms[0], text)] for text in texts)) == []
    told = [(type(request).__name__, request.benchmark) for request in arms[0].asked]
    assert [pair for pair in told if pair[0] in ("Open", "Close")] == [
        ("Open", BENCHMARK), ("Close", BENCHMARK), ("Open", FORWARD), ("Close", FORWARD), ("Open", LATER),
    ]  # fmt: skip


@pytest.mark.parametrize(("share", "scarce"), [(0.2, True), (0.3, False)])
def test_memory_is_scarce_where_less_than_a_quarter_is_available(monkeypatch, share, scarce):
    memory = SimpleNamespace(available=share * 2**34, total=2**34)
    monkeypatch.setattr(blocks.psutil, "virtual_memory", lambda: memory)
    assert blocks.scarce() == scarce


@pytest.mark.parametrize(("seconds", "calls"), [(1e-5, 200), (0.002, 25), (3.0, 2)])
def test_calls_without_a_wait_go_on_for_a_moment(seconds, calls):
    entry = entry_of(arm := Answering(), seconds=seconds)
    replicate_of().pipeline(entry)
    (asked,) = arm.asked
    assert (asked.benchmark, asked.calls) == (FORWARD, calls)
    assert asked.warm >= 3
    assert asked.warm * seconds >= 0.02
    assert (entry.row.pipelined_seconds, entry.row.gpu_seconds, entry.row.gpu_kernels) == (0.001, 0.0008, 5.0)


def test_where_pipelining_fails_the_row_keeps_its_times_and_says_why():
    arm = Answering({requests.Pipeline: ArmFailed("disagrees", "output is missing")})
    entry = entry_of(arm, seconds=1e-3)
    replicate_of().pipeline(entry)
    assert (entry.row.seconds, entry.row.pipelined_seconds, entry.row.status) == (1e-3, None, "ok")
    assert "output is missing" in entry.row.reason


@pytest.mark.parametrize("why", ["dead", "peak"])
def test_a_dead_arm_and_the_peak_are_asked_nothing_more(why):
    arm = Answering()
    arm.alive, arm.implementation.is_peak = why != "dead", why == "peak"
    entry = entry_of(arm, seconds=1e-3)
    replicate_of().pipeline(entry)
    assert (entry.row.reason != "") == (why == "dead"), "why its row lacks a number"
    if why == "dead":
        replicate_of().close([[entry]])
    assert arm.asked == []


def turn(cpu):
    """A turn of 20 ms in which so many processors were used."""
    return Turn(seconds=0.005, outside_seconds=0.02, outside_cpu_seconds=cpu * 0.02)


def test_more_processors_than_given_are_refused():
    blocks.check_processors([turn(cpu=1.09)], 1)
    blocks.check_processors([turn(cpu=1.2)], 2)
    with pytest.raises(ArmFailed, match=r"1\.15 processors"):
        blocks.check_processors([turn(cpu=1.2), turn(cpu=1.1)], 1)


REQUEST = requests.TakeTurn("b", Plan(3, 1))


def test_a_turn_has_what_the_runner_saw_of_it_and_then_the_sizes_of_thread_pools_are_looked_at(monkeypatch):
    clock, arm, pools = iter((5.0, 6.5)), Answering(), []
    monkeypatch.setattr(blocks, "time", SimpleNamespace(perf_counter=lambda: next(clock), time=lambda: 0.0))
    monkeypatch.setattr(round_trip, "seconds", lambda _: 1e-7)
    arm.check_from_outside = pools.append
    arm.answers[requests.TakeTurn] = lambda _: requests.Taken(Turn(seconds=1.0, samples=[1.0]), 1.0, [1, 8])
    turn, _ = blocks.take(arm, REQUEST)
    assert (turn.started, turn.outside_seconds, turn.round_trip_seconds) == (0.0, 1.5, 1e-7)
    assert turn.outside_cpu_seconds > 0
    assert pools == [[1, 8]]
