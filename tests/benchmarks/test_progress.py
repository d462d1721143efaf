"""The lines of a progress that is no terminal's, with a clock of the test's own."""

import re
from types import SimpleNamespace

import pytest

from benchmarks import progress as module
from benchmarks.progress import COLLECTING, REGRESSION, Stage, Stopwatch, progress


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(seconds=0.0)
    clock.monotonic = clock.perf_counter = lambda: clock.seconds
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_a_run_that_is_resumed_does_not_count_what_was_done_before(clock, capsys):
    """At 20 % it goes on with the third of four replicates, and then takes a minute for each."""
    with progress({Stage.CHECKING: 0.2, Stage.REPLICATE: 0.8}) as advance:
        for done in (2, 3):
            advance(Stage.REPLICATE, f"{done + 1} of 4", done, 4)
            clock.seconds += 60
        advance(Stage.REPLICATE, "4 of 4", 3.5, 4)
        advance(Stage.PROFILING, "", 1, 1)
    *_, last, unforeseen = capsys.readouterr().err.splitlines()
    assert last == "replicate 4 of 4: 90% after 2 min 0 s, about 0 min 40 s left"
    assert unforeseen.startswith("profiling: "), "it ends nothing"


def test_a_line_comes_also_while_nothing_is_told(clock, capsys, monkeypatch):
    """The compiled loops of a run are checked for minutes."""
    monkeypatch.setattr(module, "TICK_SECONDS", 0.001)
    with progress({Stage.CHECKING: 1.0}) as advance:
        advance(Stage.CHECKING, "a", 0, 1)
        clock.seconds += 61
        lines = capsys.readouterr().err
        while lines.count("\n") < 2:
            lines += capsys.readouterr().err
    assert lines.splitlines()[-1] == "checking a: 0% after 1 min 1 s"


def test_where_the_time_went_is_told_in_shares(clock):
    stopwatch = Stopwatch()
    with stopwatch.spent("measuring"):
        clock.seconds += 90
    clock.seconds += 30
    assert re.fullmatch("2 min 0 s, of which .*measuring 75%.*waiting 25%", stopwatch.line())


def test_what_is_left_follows_from_what_is_done_and_a_line_names_the_round(clock, capsys):
    with progress(COLLECTING, "round 1 of 2") as advance:
        advance(Stage.CHECKING, "a", 0, 1)
        for replicate in range(1, 11):
            clock.seconds += 120
            advance(Stage.COLLECTING, f"{replicate} of 10", replicate, 10)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "checking a, round 1 of 2: 0% after 0 min 0 s"
    assert lines[4].startswith("collecting, replicate 4 of 10, round 1 of 2: 43% after 8 min 0 s, about 10 min ")
    shares = [int(re.search(r": (\d+)% after", line)[1]) for line in lines]
    assert shares == sorted(shares)


def test_what_nobody_knows_is_not_told(clock, capsys):
    """A gate may take 4 replicates or 40."""
    with progress(REGRESSION) as advance:
        for stage in [Stage.COMPARING] * 4 + [Stage.MEASURING]:
            clock.seconds += 60
            advance(stage, "", clock.seconds / 60, 4)
    *known, measuring = capsys.readouterr().err.splitlines()
    assert known[-1].endswith(" left")
    assert measuring.endswith("after 5 min 0 s")
