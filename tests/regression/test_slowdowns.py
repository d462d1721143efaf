"""Where a slowdown is: computed from the rows of both sides, and found by profiles in workers."""

import math

import msgspec
import pytest

from benchmarks.measurement.timing import Turn
from benchmarks.record import Record
from benchmarks.regression import report
from benchmarks.regression.decision import Finding, Rule, Sampling, Spread
from benchmarks.regression.outcome import Result
from benchmarks.regression.slowdowns import MOST_LINES, Line, Slowdown, added_cpu_seconds, differing, locate
from tests.helpers.records import record

KEY = "torch_cell t64-b16-i128-h128/sequence/forward"


def row(side, replicate, cpu):
    turns = [Turn(seconds=cpu, samples=[cpu] * 3, cpu_seconds=7 * cpu) for _ in range(4)]
    known = {**record("torch_cell", replicate, cpu), "side": side, "calls_per_sample": 2, "turns": None}
    return msgspec.structs.replace(msgspec.convert(known, Record), turns=turns)


def test_processor_time_is_that_of_every_call_of_a_turn():
    rows = [row("base", k, 1e-3) for k in range(3)] + [row("head", k, 1.1e-3) for k in range(3)]
    assert added_cpu_seconds(rows) == pytest.approx(0.1e-3)
    assert math.isnan(added_cpu_seconds(rows[:3]))


@pytest.mark.parametrize(
    ("seconds", "cpu", "kind"),
    [(0.5, 0.1, "waiting"), (0.5, 0.5, "processor time"), (0.5, math.nan, ""), (-0.1, -0.1, ""), (math.nan, 0.1, "")],
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


def finding(key, metric, verdict, mean):
    return Finding(key, Rule(metric, 0.02), verdict, Spread(mean, 0.001, 20, 8), 0.1, 1e-3, 1e-3, Sampling(2))


def test_the_report_says_in_sentences_where():
    other = KEY.replace("forward", "train_step")
    findings = [
        finding(KEY, "time", "slower", 0.05),
        finding(KEY, "start", "same", 0.0),
        finding(other, "time", "same", 0.001),
    ]
    slowdown = Slowdown(0.25e-3, 0.24e-3, {"operators": [Line("aten::add", 1e-4, 3e-4), Line("aten::mm", 1e-3, 1e-3)]})
    lines = report.slowdown_lines(Result(0.02, findings, slowdowns={KEY: slowdown}), KEY, slowdown)
    assert lines == [
        "a call takes +250 µs, and +240 µs of processor time; most of it is processor time",
        "the first call: same +0.0 % [-0.1, +0.1]",
        "other modes than forward: train_step same +0.1 % [+0.0, +0.2]",
        "of all operators, aten::add grew most: +200 µs",
    ]
    written = report.markdown(Result(0.02, findings, slowdowns={KEY: slowdown}), "title", "line", [])
    assert "<summary>Where it is slower</summary>" in written
    assert "| aten::add" in written


def test_whatever_a_profile_does_the_verdict_stands():
    class Broken:
        advance = staticmethod(lambda *_: None)

        def __getattr__(self, name):
            raise RuntimeError("a profiler died")

    found = locate(Broken(), [], [finding(KEY, "time", "slower", 0.05)])[KEY]
    assert found.failure == "RuntimeError: a profiler died"
    assert found.seconds == pytest.approx(1e-3 * math.expm1(0.05))
    assert "no profile: RuntimeError: a profiler died" in report.slowdown_lines(Result(0.02), KEY, found)
