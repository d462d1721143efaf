"""Rounds that begin at times: when each is due, and what is left of the wait after a kill."""

import json
import signal
import time
from datetime import datetime

import click
import pytest

from benchmarks.bench import rounds
from benchmarks.bench.run import due
from benchmarks.bench.run_options import Interval, RunOptions, planned
from benchmarks.metadata import ENVIRONMENT, read_metadata
from benchmarks.options import start_of
from impls.core.text import json_text
from tests.helpers.processes import SMALL, impls, python, start


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("25m", 1500), ("1h", 3600), ("1h30m", 5400)])
def test_a_time_between_rounds_is_read(text, seconds):
    assert Interval()(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "60", "-1h", "0s", "721h", "1d"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(click.UsageError, match="is not a time from"):
        Interval()(text)


def test_a_time_between_rounds_needs_several():
    with pytest.raises(click.UsageError, match="--rounds"):
        planned(RunOptions(every=3600.0))


def test_a_round_begins_when_it_is_due_and_after_a_pause(monkeypatch, capsys):
    clock = [1000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.append(clock.pop() + seconds))
    begun = [clock[0] for _ in rounds.paced([0, 5000, 5010, 0], float)]
    assert begun == [1000, 5000, 5020, 5040]
    assert capsys.readouterr().err.count("\n") == 1


def test_a_round_is_due_so_long_after_the_last_one_began(tmp_path):
    for number in (1, 2):
        (tmp_path / f"round-{number}").mkdir()
        options = RunOptions(run_id=f"20260101T0{number}0000-r")
        (tmp_path / f"round-{number}" / "run.json").write_text(json_text(options))
    last = start_of("20260101T020000-r").timestamp()
    assert due(tmp_path / "round-3", 3600) == last + 3600
    assert due(tmp_path / "round-2", 3600) == 0, "it has begun"
    assert due(tmp_path / "round-3", 0) == 0


@pytest.mark.nightly
def test_rounds_that_are_killed_while_they_wait_go_on_when_the_next_is_due(tmp_path):
    out = tmp_path / "out"

    def until_it_waits(*arguments):
        """A process that waits for its next round, and what it said of that."""
        runner = start("-m", "benchmarks", "bench", *arguments)
        for line in runner.stdout:
            if "waiting" in line:
                return runner, line
        pytest.fail("it has not waited")

    runner, said = until_it_waits(*impls("numpy_lstm"), *SMALL, "--out", out, "--rounds", "2", "--every", "1h")
    began = start_of(read_metadata(out / "round-1" / ENVIRONMENT).run.run_id).timestamp()
    assert f"{datetime.fromtimestamp(began + 3600)}" in said
    runner.send_signal(signal.SIGINT)
    assert "--resume" in runner.communicate()[0]
    assert runner.returncode == 130
    runner, again = until_it_waits("--resume", out)
    assert again == said
    runner.kill()
    runner.communicate()
    assert not (out / "round-2").exists()

    whole = json.loads((out / "run.json").read_text())
    whole["every"] = int(time.time() - began) + 3
    (out / "run.json").write_text(json.dumps(whole))
    done = python("-m", "benchmarks", "bench", "--resume", out)
    assert done.returncode == 0, done.stderr
    first, second = (start_of(run_id).timestamp() for run_id in read_metadata(out / ENVIRONMENT).rounds)
    assert first == began
    assert second - first >= whole["every"]
