"""One type of options, from the command line to run.json and back."""

import click
import pytest

from benchmarks import machine
from benchmarks.metadata import Commit
from benchmarks.options import given, parsed
from benchmarks.run import bench
from benchmarks.run_options import RunOptions, resolved, resumed


def test_each_value_reaches_its_field_in_the_units_of_the_record(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "commit", lambda: Commit(id="abc"))
    words = (
        "--impl", "numpy_lstm", "--impl=torch_lstm", "--problem", "t2-b1-i3-h2", "--mode", "forward", "--timeout", "7",
        "--memory-limit", "0.5", "--replicates", "3", "--no-floor", "--out", str(tmp_path / "out"),
    )  # fmt: skip
    options = parsed(bench, RunOptions, words)
    assert options.implementations == ("numpy_lstm", "torch_lstm")
    assert not options.peak
    assert (options.call_seconds, options.memory_bytes, options.replicates) == (7.0, 2**29, 3)
    whole, folder = resolved(options)
    assert whole.benchmarks == ("t2-b1-i3-h2/sequence/forward",)
    assert whole.threads > 0
    assert whole.commit.id == "abc"
    assert resumed(RunOptions(resume=str(folder))) == (whole, folder)


def test_what_differs_from_its_default_is_named_and_a_run_is_resumed_with_its_own_options_only(tmp_path):
    assert given(RunOptions()) == []
    assert set(given(RunOptions(modes=("forward",), resume="x", peak=False))) == {
        "--mode", "--resume", "--floor/--no-floor"
    }  # fmt: skip
    with pytest.raises(click.UsageError, match="leave out --seed"):
        resumed(RunOptions(resume=str(tmp_path), seed=3))
