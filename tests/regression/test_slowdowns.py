"""Where a slowdown is: computed from the rows of both sides, and found by profiles in workers."""

import math

import msgspec
import numpy as np
import pytest

from benchmarks.calibration import measuring
from benchmarks.calibration.subject import Subject
from benchmarks.choices import choose_cores
from benchmarks.record import Record
from benchmarks.regression import report, snapshots
from benchmarks.regression.decision import Finding
from benchmarks.regression.outcome import Result
from benchmarks.regression.slowdowns import (
    MOST_LINES,
    UNCLEAR,
    Line,
    Slowdown,
    added_cpu_seconds,
    differing,
    line_of,
    locate,
)
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side
from benchmarks.worker.timing import Turn
from tests.helpers.records import record

KEY = "torch_cell t64-b16-i128-h128/sequence/forward"


def row(side, replicate, cpu):
    turns = [Turn(seconds=cpu, samples=[cpu] * 3, cpu_seconds=7 * cpu) for _ in range(4)]
    known = {**record("torch_cell", replicate, cpu), "side": side, "calls_per_sample": 2, "turns": None}
    return msgspec.structs.replace(msgspec.convert(known, Record), turns=turns)


def test_processor_time_is_that_of_every_call_of_a_turn():
    rows = [row("base", k, 1e-3) for k in range(3)] + [row("head", k, 1.1e-3) for k in range(3)]
    mean, low, high = added_cpu_seconds(rows)
    assert low <= mean <= high
    assert mean == pytest.approx(0.1e-3)
    assert all(map(math.isnan, added_cpu_seconds(rows[:3])))


def test_processor_time_is_compared_inside_replicates_and_has_an_interval():
    """A machine that gets slower by a third from one replicate to the next moves both sides."""
    pace = (1.0, 1.3, 1.0, 1.3, 1.0, 1.3)
    rows = [
        row(side, k, slower * (1e-3 + (0.1e-3 if side == "head" else 0.0)))
        for k, slower in enumerate(pace)
        for side in ("base", "head")
    ]
    mean, low, high = added_cpu_seconds(rows)
    assert mean == pytest.approx(0.115e-3)
    assert 0.09e-3 < low < mean < high < 0.14e-3


@pytest.mark.parametrize(
    ("seconds", "cpu", "kind"),
    [
        (0.5, (0.1, 0.0, 0.2), "waiting"),
        (0.5, (0.5, 0.4, 0.6), "processor time"),
        (0.5, (0.5, 0.1, 0.9), ""),  # half of the added time lies in the interval
        (0.5, UNCLEAR, ""),
        (-0.1, (-0.1, -0.1, -0.1), ""),
        (math.nan, (0.1, 0.1, 0.1), ""),
    ],
)
def test_what_waits_is_told_from_what_computes(seconds, cpu, kind):
    assert Slowdown(seconds, cpu).kind == kind


def test_the_lines_that_differ_most_come_first():
    base = [{"same": 1.0, "grows": 1.0, "goes": 0.5}] * 3
    head = [{"same": 1.0, "grows": 2.0, "new": 0.7}] * 3
    assert [(line.name, line.difference) for line in differing(base, head)] == [
        ("grows", 1.0),
        ("new", 0.7),
        ("goes", -0.5),
        ("same", 0.0),
    ]
    assert len(differing([{str(k): 1.0 for k in range(50)}], [{}])) == MOST_LINES


def test_a_line_is_sure_where_all_profiles_of_a_side_are_above_all_of_the_other():
    assert line_of("x", [{"x": 1.0}, {"x": 1.2}], [{"x": 1.3}, {"x": 1.4}]).clear
    assert line_of("x", [{"x": 1.0}, {"x": 1.2}], [{}, {"x": 0.9}]).clear
    assert not line_of("x", [{"x": 1.0}, {"x": 1.35}], [{"x": 1.3}, {"x": 1.4}]).clear


def test_profiles_of_the_same_code_have_hardly_a_sure_line():
    rng = np.random.default_rng(0)
    sure = 0
    for _ in range(50):
        sides = [[{str(k): v for k, v in enumerate(rng.normal(1, 0.05, 40))} for _ in range(5)] for _ in range(2)]
        sure += sum(line.clear for line in differing(*sides))
    assert sure < 50  # by chance, 2 of 252 for each of 40 names: a third of a line for each pair of profiles


def finding(key, metric, verdict, mean):
    ratio = math.exp(mean)
    return Finding(key, metric, verdict, ratio, ratio, ratio, 0.02, replicates=8, tests=2, base=1e-3, head=1e-3)


def test_the_report_says_in_sentences_where():
    operators = [
        Line("aten::cat", 1e-4, 9e-4, clear=False),
        Line("aten::add", 1e-4, 3e-4),
        Line("aten::mm", 1e-3, 1e-3),
    ]
    slowdown = Slowdown(0.25e-3, (0.24e-3, 0.23e-3, 0.25e-3), {"operators": operators, "functions": operators[:1]})
    assert report.located_lines("time", slowdown) == [
        "a call takes +250 µs, and +240 µs of processor time; most of it is processor time",
        "of all operators, aten::add grew most: +200 µs",
        "none of the functions grew clearly",
    ]
    result = Result(0.02, [finding(KEY, "time", "slower", 0.05)], located={(KEY, "time"): slowdown})
    written = report.markdown(result, "title", "line", [])
    assert "<summary>Where it is worse</summary>" in written
    assert "| aten::add" in written


def test_a_slower_start_and_more_memory_are_told_in_sentences():
    start = Slowdown(0.3, (0.01, 0.0, 0.02), {"functions of the first call": [Line("mine.py load", 0.0, 0.3)]})
    assert report.located_lines("start", start) == [
        "the first call takes +300 ms, and +10 ms of processor time; most of it is waiting",
        "of all functions of the first call, mine.py load grew most: +300 ms",
    ]
    steps = [Line("preparing", 2**20, 65 * 2**20), Line("loading", 0.0, 2**30, clear=False)]
    memory = Slowdown(2**26, profiles={"steps": steps})
    assert report.located_lines("memory", memory) == ["of all steps, preparing grew most: +64 MiB"]
    written = report.markdown(Result(0.02, located={(KEY, "memory"): memory}), "title", "line", [])
    assert "| preparing" in written
    assert "+64 MiB" in written


def test_whatever_a_profile_does_the_verdict_stands():
    class Broken:
        advance = staticmethod(lambda *_: None)

        def __getattr__(self, name):
            raise RuntimeError("a profiler died")

    metrics = ("time", "start", "memory")
    found = locate(Broken(), [], [finding(KEY, metric, "slower", 0.05) for metric in metrics])
    for metric in metrics:
        assert found[KEY, metric].failure == "RuntimeError: a profiler died"
        (*_, last) = report.located_lines(metric, found[KEY, metric])
        assert last.endswith("RuntimeError: a profiler died")
    assert found[KEY, "time"].added == pytest.approx(1e-3 * math.expm1(0.05))


SLOW_TO_START = """
import dataclasses, time as _time
_right = prepare
def _wait(): _time.sleep(0.3)
def _compute():
    until = _time.perf_counter() + 0.3
    while _time.perf_counter() < until: pass
def prepare(problem, weights, device, workload):
    prepared, first = _right(problem, weights, device, workload), [True]
    def forward(state):
        if first: first.pop(), _{how}()
        return prepared.forward(state)
    return dataclasses.replace(prepared, forward=forward)
"""
LARGE = """
_right = prepare
def prepare(problem, weights, device, workload):
    global _kept
    import numpy
    _kept = numpy.ones(2**23)  # 64 MiB
    return _right(problem, weights, device, workload)
"""


def located(tmp_path, monkeypatch, metric, added):
    """What is found where head's numpy_lstm has this source added."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    subject = Subject(("numpy_lstm",), "t4-b2-i3-h5", ("forward",))
    root = subject.root
    head = snapshots.changed(root, {"impls/numpy_lstm.py": lambda source: source + added})
    sides = [Side(label, subject.versions(place)) for label, place in (("base", root), ("head", head))]
    session = Session(measuring.configure(subject, 0), sides, choose_cores(1), tmp_path, lambda *_: None)
    key = f"numpy_lstm {subject.benchmarks['forward']}"
    slower = msgspec.structs.replace(finding(key, metric, "slower", 0.5), head=0.301)
    return locate(session, [], [slower])[key, metric]


@pytest.mark.process
@pytest.mark.alone
@pytest.mark.parametrize(("how", "kind"), [("wait", "waiting"), ("compute", "processor time")])
def test_a_first_call_that_waits_or_computes_is_told_and_its_function_is_named(tmp_path, monkeypatch, how, kind):
    found = located(tmp_path, monkeypatch, "start", SLOW_TO_START.replace("{how}", how))
    assert not found.failure
    assert found.kind == kind
    (line, *_) = found.profiles["functions of the first call"]
    assert line.clear
    assert line.name.endswith("sleep" if how == "wait" else "_compute")
    assert line.difference == pytest.approx(0.3, rel=0.5)


@pytest.mark.process
def test_the_step_that_takes_more_memory_is_named(tmp_path, monkeypatch):
    found = located(tmp_path, monkeypatch, "memory", LARGE)
    assert not found.failure
    steps = found.profiles["steps"]
    assert [line.name for line in steps] == ["preparing", "loading", "the first call", "the second call"]
    preparing, *others = steps
    assert preparing.clear
    assert preparing.difference == pytest.approx(2**26, rel=0.2)
    assert all(abs(line.difference) < 2**24 for line in others)
