"""The lines of a progress that is no terminal's, with a clock of the test's own."""

from types import SimpleNamespace

import pytest

from benchmarks import progress as module
from benchmarks.progress import REGRESSION, Left, Stage, account, progress
from benchmarks.worker.timing import Turn


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(seconds=0.0)
    clock.monotonic = clock.perf_counter = lambda: clock.seconds
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_a_run_that_is_resumed_does_not_count_what_was_done_before(clock, capsys):
    """At 20 % it goes on with the third of four replicates, and then takes a minute for each."""
    with progress({Stage.CHECKING: 0.2, Stage.REPLICATE: 0.7, Stage.PROFILING: 0.1}, "round 1 of 2") as advance:
        for done in (2, 3, 4):
            advance(Stage.REPLICATE, f"{done + 1} of 4", done, 4)
            clock.seconds += 60
        advance(Stage.PROFILING, "", 0, 1)
    first, last = capsys.readouterr().err.splitlines()
    assert first == "replicate 3 of 4, round 1 of 2: 55% after 0 min 0 s"
    assert last == "profiling, round 1 of 2: 90% after 3 min 0 s, about 0 min 35 s left"


def test_what_is_left_of_a_gate_is_a_bound_that_falls(clock, capsys, monkeypatch):
    """Also while a replicate starts, which takes long, and while one is measured."""
    left = Left()
    monkeypatch.setattr(module, "Left", lambda: left)
    with progress(REGRESSION) as advance:
        for done in range(4):
            advance(Stage.COMPARING, "", done, 4)
            clock.seconds += 60
        told = []
        for done, took in ((4, 50), (4.5, 10), (5, 10), (5.5, 20)):
            advance(Stage.MEASURING, f"{done:.0f} of 8", done, 8)
            told.append(left.words(None))
            clock.seconds += took
    assert told == [f"at most about {words} left" for words in ("4 min 0 s", "3 min 10 s", "3 min 0 s", "2 min 50 s")]
    assert told[0] in capsys.readouterr().err.splitlines()[-1]


def test_a_line_comes_also_while_nothing_is_told(clock, capsys, monkeypatch):
    """The compiled loops of a run are checked for minutes."""
    monkeypatch.setattr(module, "LINE_SECONDS", 0.001)
    with progress({Stage.CHECKING: 1.0}) as advance:
        advance(Stage.CHECKING, "a", 0, 1)
        clock.seconds += 61
        lines = ""
        while "after 1 min" not in lines:
            lines += capsys.readouterr().err
    assert "checking a: 0% after 1 min 1 s" in lines.splitlines()


def test_the_time_of_a_resumed_run_has_only_its_own_turns(clock):
    clock.time = lambda: 1000.0
    turns = [Turn(started=at, seconds=1e-3, outside_seconds=30.0) for at in (100.0, 904.0)]
    told = account(880.0, [SimpleNamespace(turns=turns), SimpleNamespace(turns=None)])
    assert told == "2 min 0 s: checking 20 %, starting 55 %, measuring 25 %"
