"""Where a slowdown is: found by profiles of both sides, in workers."""

import re
from functools import partial

import msgspec
import pytest

from benchmarks.calibration import measuring
from benchmarks.calibration.injection import inject
from benchmarks.calibration.subject import Subject
from benchmarks.hardware import choose_cores
from benchmarks.regression import report, slowdowns
from benchmarks.regression.decision import GateKey
from benchmarks.regression.findings import Finding
from benchmarks.regression.log_ratios import SIDES
from benchmarks.regression.outcome import Result
from benchmarks.regression.slowdowns import MOST_LINES, Line, Slowdown, differing, largest, locate
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side
from benchmarks.worker.profiles import Profile, Profiled
from impls.core.operators import Ran
from tests.helpers.sessions import Answering, session_of

KEY = GateKey("torch_cell t64-b16-i128-h128/sequence/forward")


def ran(seconds, times=1):
    return {"x": Ran(seconds, times)}


def test_the_lines_that_differ_most_come_first():
    base = [{"same": Ran(1.0, 1), "grows": Ran(1.0, 1), "goes": Ran(0.5, 1), "hardly": Ran(1.0, 1)}] * 3
    head = [{"same": Ran(1.0, 1), "grows": Ran(2.0, 1), "new": Ran(0.7, 1), "hardly": Ran(1.09, 2)}] * 3
    found = [(line.name, line.difference) for line in differing(base, head, least=0.1)]
    assert found == [("grows", 1.0), ("new", 0.7), ("goes", -0.5)]
    assert len(differing([{str(k): Ran(1.0, 1) for k in range(50)}], [{}], 0.1)) == MOST_LINES


@pytest.mark.parametrize(
    ("base", "head", "clear"),
    [
        ([ran(1.0), ran(1.2)], [ran(1.3), ran(1.4)], True),
        ([ran(1.0), ran(1.2)], [{}, ran(0.9)], True),
        ([ran(1.0), ran(1.35)], [ran(1.3), ran(1.4)], False),
        ([ran(1.0, 128), ran(1.35, 128)], [ran(1.3, 192), ran(1.4, 192)], True),
        ([ran(1.0, 128), ran(1.35, 192)], [ran(1.3, 192), ran(1.4, 192)], False),
        ([ran(1.0, 192), ran(1.35, 192)], [ran(1.3, 128), ran(1.4, 128)], False),
    ],
    ids=["longer", "shorter", "times overlap", "more often", "more often in some", "less often, and not shorter"],
)
def test_a_line_differs_by_times_that_do_not_overlap_or_by_how_often_it_runs(base, head, clear):
    assert bool(differing(base, head, least=0.1)) is clear


def slower(metric="time", ratio=1.05, key=KEY):
    return Finding(key, metric, "slower", ratio, ratio, ratio, 0.02, replicates=8, tests=2, base=1e-3, head=1e-3)


def test_the_report_says_in_sentences_where():
    """First what runs more often, then what takes longer."""
    operators = [
        Line("aten::mm", Ran(9e-4, 1), Ran(1e-4, 1)),
        Line("aten::add", Ran(1e-4, 2), Ran(3e-4, 2)),
        Line("aten::tanh", Ran(1e-4, 128), Ran(2e-4, 192)),
    ]
    slowdown = Slowdown(0.25e-3, {"operators": operators, "functions": operators[:1]})
    call, more, longer, others = report.located_lines(slowdown)
    assert "+250 µs" in call
    assert all(word in more for word in ("aten::tanh", "192", "128", "+100 µs"))
    assert all(word in longer for word in ("aten::add", "+200 µs"))
    assert "none of the functions" in others
    (only,) = report.located_lines(Slowdown(1.0, {"operators": operators[2:]}))[1:]
    assert "aten::tanh" in only
    written = report.markdown(Result(0.02, [slower()], located={KEY: slowdown}), "title", "line", [])
    assert re.search(r"\| aten::tanh *\| *128 \| *192 \|", written)


def test_only_time_is_explained_and_whatever_a_profile_does_the_verdict_stands():
    class Broken:
        advance = staticmethod(lambda *_: None)

        def __enter__(self):
            raise RuntimeError("a profiler died")

        def __exit__(self, *_): ...

    found = dict(locate(Broken(), largest([slower(), slower("start"), slower("memory")])))
    assert [*found] == [KEY]
    assert found[KEY].added == pytest.approx(0.05e-3)
    assert report.located_lines(found[KEY])[-1].endswith("RuntimeError: a profiler died")


def test_a_profile_has_as_many_calls_as_the_slower_side_allows(tmp_path, monkeypatch):
    """One that compiles at each call takes a thousand times as long."""
    arms = {(side, "torch_cell"): Answering({Profile: Profiled({}, {})}) for side in SIDES}
    session = session_of(tmp_path)
    monkeypatch.setattr(session, "make_arms", lambda _: session.arms.update(arms))
    monkeypatch.setattr(slowdowns, "start_all", lambda _: None)
    ((_, found),) = locate(session, [msgspec.structs.replace(slower(), base=50e-6, head=50e-3)])
    assert not found.failure
    asked = [request for arm in arms.values() for request in arm.asked if isinstance(request, Profile)]
    assert {request.calls for request in asked} == {2}


@pytest.mark.process
def test_the_function_that_takes_longer_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    subject = Subject(("numpy_lstm",), "t4-b2-i3-h5", ("forward",))
    changes = {"base": {}, "head": {"numpy_lstm": partial(inject, share=3.0)}}
    sides = [Side(label, subject.copied(tmp_path / label, of_side)) for label, of_side in changes.items()]
    session = Session(measuring.configure(subject, 0), sides, choose_cores(1), tmp_path, lambda *_: None)
    key = GateKey(f"numpy_lstm {subject.benchmarks['forward']}")
    found = dict(locate(session, [slower(key=key)]))[key]
    assert not found.failure
    (line,) = (line for line in found.profiles["functions"] if line.name == "impls/numpy_lstm.py _Slowed.work")
    assert line.base.times == 0 < line.head.times
