"""What is wrong with a command line is one line on stderr, exit code 2, no traceback, nothing written."""

import importlib
import os
import stat

import click
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import choices, machine
from benchmarks.metadata import Commit
from impls.core import command_line, evaluate, registry
from impls.core.precision import IEEE, VARIABLE
from impls.core.problem import Problem
from impls.core.text import one_line
from impls.core.weights import make_inputs, make_weights

BENCH = ("benchmarks", "bench")
EVALUATE = ("impls", "evaluate", "numpy_lstm")
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
    monkeypatch.setattr(choices, "heed_signals", lambda: None)
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


def case(path, problem="t4-b2-i3-h5", **changes):
    parsed = Problem.parse(problem)
    inputs = make_inputs(parsed).arrays().copy()
    del inputs["target"]
    content = {**make_weights(parsed), **inputs, **changes}
    np.savez(path, **{name: value for name, value in content.items() if value is not None})
    return path


def test_weights_that_do_not_fit_the_problem_are_refused(tmp_path):
    weights, out = case(tmp_path / "w.npz", x=None), tmp_path / "out"
    said = refused(*BENCH, "--weights", weights, "--problem", "t4-b2-i3-h6", "--out", out)
    assert "does not fit t4-b2-i3-h6: weight_ih_l0 must have shape (24, 3), it has shape (20, 3)" in said
    assert not out.exists()


@pytest.mark.parametrize("out", ["folder", "link to a device", "pipe", "link to the case"])
def test_evaluate_replaces_nothing_but_files_and_not_its_own_case(tmp_path, out):
    given, path = case(tmp_path / "c.npz"), tmp_path / "out"
    if out == "folder":
        path.mkdir()
    elif out == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(os.devnull if out == "link to a device" else given)
    before = path.lstat().st_mode, given.read_bytes()
    message = "is the case itself" if out == "link to the case" else "not a regular file"
    assert message in refused(*EVALUATE, "--case", given, "--out", path)
    assert (path.lstat().st_mode, given.read_bytes()) == before


def computed(path, name="numpy_lstm"):
    """The exit code of the process of `evaluate`, without the process, and the names of what it has written."""
    out = path.with_name("o.npz")
    code = evaluate.main(str(registry.resolve(name).path), str(path), str(out), "float64", "cpu")
    return code, set(np.load(out)) if out.exists() else None


@pytest.mark.parametrize("name", ["reference", "numpy_lstm"])
def test_evaluate_gives_outputs_and_with_cotangents_the_gradient_of_every_array(name, tmp_path):
    given, outputs = {*make_weights(Problem.parse("t4-b2-i3-h5")), "x", "h0", "c0"}, {"output", "h_n", "c_n"}
    assert computed(case(tmp_path / "c.npz"), name) == (0, outputs | {f"grad_{array}" for array in given})
    without = dict.fromkeys(("d_output", "d_h_n", "d_c_n", "h0"))
    assert computed(case(tmp_path / "c.npz", **without), name) == (0, outputs)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ({}, "peak", "it computes no LSTM"),
        ({"h0": np.full((1, 2, 5), np.nan)}, "numpy_lstm", "h0 holds NaN"),
        (None, "numpy_lstm", "does not exist"),
    ],
)
def test_evaluate_refuses_what_it_can_not_compute_and_writes_nothing(content, name, message, tmp_path, capsys):
    path = tmp_path / "c.npz"
    if content is not None:
        case(path, **content)
    assert computed(path, name) == (2, None)
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


RETURNS = """
from dataclasses import replace
import ml_dtypes
import numpy as np
from impls import numpy_lstm

FRAMEWORK = "numpy"
TRACK = "default"

def prepare(*given):
    right = numpy_lstm.prepare(*given)

    def to_numpy(*result):
        return {{name: {value} for name, v in right.to_numpy(*result).items() {which}}}

    return replace(right, to_numpy=to_numpy)
"""


@pytest.mark.parametrize(
    ("value", "which", "message"),
    [
        ("v", "if name != 'h_n'", "its results lack h_n"),
        ("1.0", "", "output is float64 of shape ()"),
        ("v + 0j", "", "output is complex128"),
        ("v.astype(str)", "", "output is <U"),
        ("np.float32(v)", "", ""),
        ("v.astype(ml_dtypes.bfloat16)", "", ""),
    ],
)
def test_evaluate_writes_arrays_of_the_right_shapes_as_float64_or_nothing(value, which, message, tmp_path, capsys):
    path, given, out = tmp_path / "mine.py", case(tmp_path / "c.npz"), tmp_path / "o.npz"
    path.write_text(RETURNS.format(value=value, which=which))
    code = evaluate.main(str(path), str(given), str(out), "float64", "cpu")
    said = capsys.readouterr().err
    if message:
        assert (code, out.exists(), message in said) == (2, False, True), said
        return
    arrays, results = np.load(given), np.load(out)
    assert {array.dtype.name for array in results.values()} == {"float64"}
    assert all(results[f"grad_{name}"].shape == arrays[name].shape for name in arrays if not name.startswith("d_"))


def test_evaluate_heeds_the_umask_and_says_what_cannot_be_written(tmp_path, capsys):
    given, out = case(tmp_path / "c.npz"), tmp_path / "o.npz"
    before = os.umask(0o077)
    try:
        computed(given)
    finally:
        os.umask(before)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    out.unlink()
    out.mkdir()
    assert evaluate.main(str(registry.resolve("numpy_lstm").path), str(given), str(out), "float32", "cpu") == 2
    assert f"error: {out}: " in capsys.readouterr().err
