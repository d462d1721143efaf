"""One type of options, from the command line to run.json and back."""

import os

import click
import pytest

from benchmarks import machine
from benchmarks.bench.command import bench
from benchmarks.bench.run_options import TURN_SECONDS, RunOptions, planned, resolved, resumed
from benchmarks.cases import PRESETS
from benchmarks.metadata import Commit
from benchmarks.options import given, parsed
from benchmarks.worker.devices import LEAST_TURN
from impls.core.precision import IEEE, VARIABLE


def test_each_value_reaches_its_field_in_the_units_of_the_record(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "commit", lambda: Commit(id="abc"))
    words = (
        "--impl", "numpy_lstm", "--impl=torch_lstm", "--problem", "t2-b1-i3-h2", *("--mode", "forward") * 2,
        "--timeout", "7", "--replicates", "3", "--no-floor",
        "--out", str(tmp_path / "out"),
    )  # fmt: skip
    options = parsed(bench, RunOptions, words)
    assert options.implementations == ("numpy_lstm", "torch_lstm")
    assert not options.peak
    assert (options.call_seconds, options.replicates) == (7.0, 3)
    whole, folder = resolved(options)
    assert folder == tmp_path / "out"
    assert whole.benchmarks == ("t2-b1-i3-h2/sequence/forward",)
    assert whole.threads > 0
    assert whole.commit.id == "abc"
    monkeypatch.setenv(VARIABLE, "another")
    assert resumed(RunOptions(resume=str(folder))) == (whole, folder)
    assert os.environ[VARIABLE] == IEEE


def test_a_scan_goes_from_small_to_large_and_is_resumed_so(tmp_path, monkeypatch):
    """Input follows hidden, and the preset's problems are not measured."""
    monkeypatch.setattr(machine, "commit", Commit)
    words = ("--impl", "numpy_lstm", "--scan", "hidden=64,16..32,16", "--scan", "batch=3,1", "--mode", "forward")
    whole, folder = resolved(parsed(bench, RunOptions, (*words, "--out", str(tmp_path / "out"))))
    sizes = ((1, 16), (3, 16), (1, 32), (3, 32), (1, 64), (3, 64))
    assert whole.benchmarks == tuple(f"t64-b{batch}-i{hidden}-h{hidden}/sequence/forward" for batch, hidden in sizes)
    assert resumed(RunOptions(resume=str(folder))) == (whole, folder)


@pytest.mark.parametrize("seconds", ["nan", "inf", "0"])
def test_a_timeout_that_is_no_number_of_seconds_is_refused(seconds):
    """With NaN, the whole run would be measured, and then not be read."""
    with pytest.raises(click.BadParameter) as refused:
        parsed(bench, RunOptions, ("--timeout", seconds))
    assert refused.value.param.name == "call_seconds"


def test_what_is_left_open_comes_from_the_preset_the_device_and_the_implementations(monkeypatch):
    monkeypatch.setattr(machine, "commit", Commit)
    preset, both = PRESETS["imdb"], ("numpy_lstm", "torch_lstm")
    whole = planned(RunOptions(preset="imdb", implementations=both))
    assert (whole.rounds, whole.replicates, whole.blocks) == (1, preset.replicates, preset.blocks)
    assert whole.turn_seconds == TURN_SECONDS
    assert (whole.baseline, len(whole.benchmarks)) == ("torch_lstm", len(preset.problems))
    assert {f"the version of {name}" for name in (*both, "peak")} <= set(whole.used)
    given = planned(
        RunOptions(implementations=both[:1], replicates=3, blocks=7, device="cuda", problems=("t2-b1-i3-h2",) * 2)
    )
    assert (given.replicates, given.blocks, given.turn_seconds) == (3, 7, LEAST_TURN["cuda"])
    assert (given.baseline, {name.partition("/")[0] for name in given.benchmarks}) == ("numpy_lstm", {"t2-b1-i3-h2"})
    assert len(given.benchmarks) == len(PRESETS["quick"].pairs)


def test_what_differs_from_its_default_is_named():
    assert given(RunOptions()) == []
    assert set(given(RunOptions(modes=("forward",), resume="x", peak=False))) == {
        "--mode", "--resume", "--floor/--no-floor"
    }  # fmt: skip
