"""What is wrong with a command line is one line on stderr, exit code 2, no traceback, nothing written."""

import importlib
import os

import click
import pytest
from click.testing import CliRunner

from benchmarks import machine
from benchmarks.metadata import Commit
from impls.core import command_line
from impls.core.precision import IEEE, VARIABLE
from impls.core.text import one_line
from tests.helpers.evaluating import case

BENCH = ("benchmarks", "bench")
BAD = {
    "unknown name": ((*BENCH, "--impl", "torch_lstn"), "did you mean torch_lstm"),
    "unknown file": ((*BENCH, "--impl", "nowhere.py"), "nowhere.py does not exist"),
    "too many threads": ((*BENCH, "--threads", "4096"), "this process may use"),
    "the reference": ((*BENCH, "--impl", "reference"), "never timed"),
    "only the peak": ((*BENCH, "--impl", "peak"), "the peak is no LSTM"),
    "one twice": ((*BENCH, "--impl", "torch_lstm", "--impl", "impls/torch_lstm.py"), "torch_lstm is named twice"),
    "baseline not there": ((*BENCH, "--impl", "jax_scan", "--baseline", "torch_lstm"), "not among jax_scan"),
    "problem that no memory holds": ((*BENCH, "--problem", "t4-b2-i8-h1000000"), "its reference needs about"),
    "no problem": ((*BENCH, "--problem", "t4-b2"), "t4-b2"),
    "a scan of no size": ((*BENCH, "--scan", "width=16"), "it is steps, batch, input, hidden or layers"),
    "a scan without sizes": ((*BENCH, "--scan", "hidden="), "--scan hidden=: '' is no size"),
    "a scan from nothing": ((*BENCH, "--scan", "hidden=0..8"), "'0..8' is no size"),
    "a range that misses its end": ((*BENCH, "--scan", "batch=1,16..1000"), "doubling 16 never gives 1000"),
    "a range backwards": ((*BENCH, "--scan", "batch=16..1"), "doubling 16 never gives 1,"),
    "a size scanned twice": ((*BENCH, "--scan", "batch=16", "--scan", "batch_size=32"), "batch_size is scanned twice"),
    "a scan that no memory holds": ((*BENCH, "--scan", "hidden=8,1000000"), "its reference needs about"),
    "a scan of more than a run holds": (
        (*BENCH, "--scan", "hidden=1..1024", "--scan", "batch=1..1024", "--scan", "steps=8,9"), "stands for 242"
    ),
    "a scan that the problem cannot follow": (
        (*BENCH, "--problem", "t4-b2-i3-h96-p64", "--scan", "hidden=64"), "it must be less than hidden_size, 64"
    ),
    "TF32 without a GPU": ((*BENCH, "--precision", "tf32"), "add --device cuda"),
    "name too long": ((*BENCH, "--out", "/tmp/" + "a" * 300), "File name too long"),
    "missing weights": ((*BENCH, "--weights", "nowhere.npz"), "nowhere.npz does not exist"),
    "nothing to resume": ((*BENCH, "--resume", "nowhere"), "no run to resume"),
    "unwritable out": ((*BENCH, "--out", "/proc/nowhere"), "can't be written to"),
    "agree, a problem with a dtype": (
        ("benchmarks", "agree", "--problem", "t2-b1-i1-h1-float64"), "--problem t2-b1-i1-h1 --dtype float64"
    ),
    "a file that is not UTF-8": ((*BENCH, "--impl", "mine\udcff.py"), "is not UTF-8"),
    "weights that are not UTF-8": ((*BENCH, "--weights", "mine\udcff.npz"), "is not UTF-8"),
    "an out that is not UTF-8": ((*BENCH, "--out", "runs/mine\udcff"), "is not UTF-8"),
    "a run that is not UTF-8": ((*BENCH, "--resume", "mine\udcff"), "is not UTF-8"),
    "a gate of a file that is not UTF-8": (
        ("benchmarks", "regression", "--base", "HEAD", "--impl", "mine\udcff.py"), "is not UTF-8"
    ),
    "an endless weights file": ((*BENCH, "--weights", "/dev/zero"), "is not a regular file"),
}  # fmt: skip


def cli(package):
    return importlib.import_module(f"{package}.__main__").cli


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch, tmp_path):
    """No git, no handlers of signals, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(VARIABLE, IEEE)
    monkeypatch.setattr(command_line, "heed_signals", lambda: None)
    monkeypatch.setattr(machine, "commit", Commit)


def refused(package, *arguments):
    """The one line of a refusal; tests/impls/test_command_line.py tests the wrapper that prints it and exits with 2."""
    refusal = CliRunner().invoke(cli(package), [*map(str, arguments)], standalone_mode=False).exception
    assert isinstance(refusal, click.ClickException), refusal
    return one_line(refusal.format_message())


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line(name, tmp_path):
    (package, *arguments), message = BAD[name]
    out = tmp_path / "out"
    if arguments[0] == "bench" and not {"--out", "--resume"} & set(arguments):
        arguments += ["--out", str(out)]
    assert message in refused(package, *arguments)
    assert not out.exists()


def test_where_there_is_no_home_folder_nothing_is_made(tmp_path, monkeypatch):
    """As in a container whose user has no line in /etc/passwd."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    out = tmp_path / "out"
    done = CliRunner().invoke(cli("benchmarks"), ["bench", "--impl", "numpy_lstm", "--out", str(out)])
    assert "set HOME or XDG_CACHE_HOME" in command_line.describe(done.exception)
    assert not out.exists()


def test_an_out_that_holds_a_run_is_refused_and_left_alone(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    assert "already holds a run" in refused(*BENCH, "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_weights_that_do_not_fit_the_problem_are_refused(tmp_path):
    weights, out = case(tmp_path / "w.npz", x=None), tmp_path / "out"
    said = refused(*BENCH, "--weights", weights, "--problem", "t4-b2-i3-h6", "--out", out)
    assert "does not fit t4-b2-i3-h6: weight_ih_l0 must have shape (24, 3), it has shape (20, 3)" in said
    assert not out.exists()
