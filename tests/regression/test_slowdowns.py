"""Where a slowdown is: found by profiles of both sides, in workers."""

from functools import partial

import pytest

from benchmarks.calibration import measuring
from benchmarks.calibration.injection import inject
from benchmarks.calibration.subject import Subject
from benchmarks.choices import choose_cores
from benchmarks.regression import report
from benchmarks.regression.decision import Finding, GateKey
from benchmarks.regression.outcome import Result
from benchmarks.regression.slowdowns import MOST_LINES, Line, Slowdown, differing, locate
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side

KEY = GateKey("torch_cell t64-b16-i128-h128/sequence/forward")


def test_the_lines_that_differ_most_come_first():
    base = [{"same": 1.0, "grows": 1.0, "goes": 0.5, "hardly": 1.0}] * 3
    head = [{"same": 1.0, "grows": 2.0, "new": 0.7, "hardly": 1.009}] * 3
    found = [(line.name, line.difference) for line in differing(base, head)]
    assert found == [("grows", 1.0), ("new", 0.7), ("goes", -0.5)]
    assert len(differing([{str(k): 1.0 for k in range(50)}], [{}])) == MOST_LINES


@pytest.mark.parametrize(
    ("base", "head", "clear"),
    [((1.0, 1.2), (1.3, 1.4), True), ((1.0, 1.2), (0.0, 0.9), True), ((1.0, 1.35), (1.3, 1.4), False)],
)
def test_a_line_differs_where_all_profiles_of_a_side_are_above_all_of_the_other(base, head, clear):
    assert bool(differing(*([{"x": value} for value in side] for side in (base, head)))) is clear


def slower(metric="time", ratio=1.05, key=KEY):
    return Finding(key, metric, "slower", ratio, ratio, ratio, 0.02, replicates=8, tests=2, base=1e-3, head=1e-3)


def test_the_report_says_in_sentences_where():
    operators = [Line("aten::mm", 9e-4, 1e-4), Line("aten::add", 1e-4, 3e-4), Line("aten::cat", 1e-4, 2e-4)]
    slowdown = Slowdown(0.25e-3, {"operators": operators, "functions": operators[:1]})
    call, grown, others = report.located_lines(slowdown)
    assert "+250 µs" in call
    assert "aten::add grew most: +200 µs" in grown
    assert "none of the functions" in others
    assert "| aten::add" in report.markdown(Result(0.02, [slower()], located={KEY: slowdown}), "title", "line", [])


def test_only_time_is_explained_and_whatever_a_profile_does_the_verdict_stands():
    class Broken:
        advance = staticmethod(lambda *_: None)

        def __enter__(self):
            raise RuntimeError("a profiler died")

        def __exit__(self, *_): ...

    found = locate(Broken(), [slower(), slower("start"), slower("memory")])
    assert [*found] == [KEY]
    assert found[KEY].added == pytest.approx(0.05e-3)
    assert report.located_lines(found[KEY])[-1].endswith("RuntimeError: a profiler died")


@pytest.mark.process
def test_the_function_that_takes_longer_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    subject = Subject(("numpy_lstm",), "t4-b2-i3-h5", ("forward",))
    changes = {"base": {}, "head": {"numpy_lstm": partial(inject, share=3.0)}}
    sides = [Side(label, subject.copied(tmp_path / label, of_side)) for label, of_side in changes.items()]
    session = Session(measuring.configure(subject, 0), sides, choose_cores(1), tmp_path, lambda *_: None)
    key = GateKey(f"numpy_lstm {subject.benchmarks['forward']}")
    found = locate(session, [slower(key=key)])[key]
    assert not found.failure
    (line,) = (line for line in found.profiles["functions"] if line.name == "impls/numpy_lstm.py _Slowed.work")
    assert line.base == 0 < line.head
