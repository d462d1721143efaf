"""The lines of a progress that is no terminal's, with a clock of the test's own."""

import re
from types import SimpleNamespace

import pytest

from benchmarks import progress as module
from benchmarks.progress import COLLECTING, REGRESSION, Stage, Stopwatch, progress, progress_in_parts


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    return clock


def shares(text):
    return [int(share) for share in re.findall(r": (\d+)% after", text)]


def test_a_run_that_is_resumed_does_not_count_what_was_done_before(clock, capsys):
    """At 20 % it goes on with the third of four replicates, and then takes a minute for each."""
    with progress({Stage.CHECKING: 0.2, Stage.REPLICATE: 0.8}) as advance:
        for done in (2, 3):
            advance(Stage.REPLICATE, f"{done + 1} of 4", done, 4)
            clock.seconds += 60
        advance(Stage.REPLICATE, "4 of 4", 3.5, 4)
    assert capsys.readouterr().err.splitlines()[-1] == "replicate 4 of 4: 90% after 2 min 0 s, about 0 min 40 s left"


def test_where_the_time_went_is_told_in_shares(monkeypatch):
    clock = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: clock.seconds))
    stopwatch = Stopwatch()
    with stopwatch.spent("measuring"):
        clock.seconds += 90
    clock.seconds += 30
    assert stopwatch.line().startswith("2 min 0 s, of which ")
    assert "measuring 75%" in stopwatch.line()
    assert stopwatch.line().endswith("waiting 25%")


def test_parts_have_their_share_of_the_whole_and_of_the_time_that_is_left(clock, capsys):
    """Three parts, two of 20 minutes and one of 10, that take as long as that."""
    with progress_in_parts([20, 20, 10]) as part:
        for number in (1, 2):
            advance = part(COLLECTING, f"session {number} of 2")
            advance(Stage.CHECKING, "a", 0, 1)
            for replicate in range(1, 11):
                clock.seconds += 120
                advance(Stage.COLLECTING, f"{replicate} of 10", replicate, 10)
        text = capsys.readouterr().err
        assert "checking a, session 1 of 2: 0% after" in text
        assert "checking a, session 2 of 2: 40% after" in text
        assert "collecting, replicate 10 of 10, session 2 of 2: 80% after 40 min 0 s, about 10 min 0 s left" in text
        advance = part(REGRESSION, "gate 1 of 1")
        clock.seconds += 600
        advance(Stage.MEASURING, "1", 1, 1)
    text += (rest := capsys.readouterr().err)
    assert rest == "measuring, replicate 1, gate 1 of 1: 100% after 50 min 0 s, about 0 min 0 s left\n"
    assert shares(text) == sorted(shares(text))


def test_what_nobody_knows_is_not_told(clock, capsys):
    """A gate may take 4 replicates or 40."""
    with progress(REGRESSION) as advance:
        for replicate in range(1, 5):
            clock.seconds += 60
            advance(Stage.COMPARING, f"{replicate} of 4", replicate, 4)
        clock.seconds += 60
        advance(Stage.MEASURING, "5 of 40", 5, 40)
        clock.seconds += 60
        advance(Stage.PROFILING, "", 1, 1)
    *known, measuring, profiling = capsys.readouterr().err.splitlines()
    assert known[-1].endswith(" left")
    assert measuring == "measuring, replicate 5 of 40: 82% after 5 min 0 s"
    assert profiling == "profiling: 100% after 6 min 0 s"


def test_a_stage_that_the_command_did_not_foresee_ends_nothing(clock, capsys):
    with progress({Stage.CHECKING: 1.0}) as advance:
        advance(Stage.PROFILING, "", 1, 1)
    assert capsys.readouterr().err == "profiling: 0% after 0 min 0 s\n"


@pytest.mark.parametrize("parts", [[], [1.0]])
def test_a_terminal_shows_no_bar_of_nothing(monkeypatch, capsys, parts):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_in_parts(parts):
        pass
    assert ("done" in capsys.readouterr().err) == bool(parts)
