"""One type of options, from the command line to run.json and back."""

import click
import pytest
from click.testing import CliRunner

from benchmarks.options import command, given
from benchmarks.run import bench
from benchmarks.run_options import RunOptions, resolved, resumed


def parsed(*words):
    """What the command `run` hands to its function."""
    caught = []
    fields = [param.name for param in bench.params]
    catch = command(RunOptions, *fields, name="bench")(lambda options: caught.append(options) or 0)
    done = CliRunner().invoke(catch, words)
    assert done.exit_code == 0, done.output
    return caught[0]


@pytest.mark.process
def test_each_value_reaches_its_field_in_the_units_of_the_record(tmp_path):
    options = parsed(
        "--impl", "numpy_lstm", "--impl=torch_lstm", "--problem", "t2-b1-i3-h2", "--mode", "forward", "--timeout", "7",
        "--memory-limit", "0.5", "--replicates", "3", "--no-floor", "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert options.implementations == ("numpy_lstm", "torch_lstm")
    assert (options.call_seconds, options.memory_bytes, options.replicates) == (7.0, 2**29, 3)
    whole, folder = resolved(options)
    assert whole.benchmarks == ("t2-b1-i3-h2/sequence/forward",)
    assert whole.threads > 0
    assert resumed(RunOptions(resume=str(folder))) == (whole, folder)


def test_what_differs_from_its_default_is_named():
    assert given(RunOptions()) == []
    assert given(RunOptions(modes=("forward",), resume="x", peak=False)) == [
        "--mode",
        "--resume",
        "--floor/--no-floor",
    ]


def test_a_run_is_resumed_with_its_own_options_only(tmp_path):
    with pytest.raises(click.UsageError, match="leave out --seed"):
        resumed(RunOptions(resume=str(tmp_path), seed=3))
