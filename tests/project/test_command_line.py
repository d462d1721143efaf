"""What is wrong with a command line is one line on stderr, exit code 2, no traceback, nothing written."""

import importlib
import os
import stat
import subprocess
import sys

import click
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import choices
from impls.core.precision import IEEE, VARIABLE
from impls.core.problem import Problem
from impls.core.text import one_line
from impls.core.weights import make_inputs, make_weights
from tests.helpers.processes import ROOT

RUN = ("benchmarks", "bench")
EVALUATE = ("impls", "evaluate", "torch_lstm")
GATE = ("benchmarks", "regression", "--base", "HEAD", "--impl", "torch_lstm")
BAD = {
    "unknown name": ((*RUN, "--impl", "torch_lstn"), "did you mean torch_lstm"),
    "unknown file": ((*RUN, "--impl", "nowhere.py"), "nowhere.py does not exist"),
    "size of zero": ((*RUN, "--problem", "t0-b1-i1-h1"), "seq_len is 0; it must be at least 1"),
    "negative size": ((*RUN, "--problem", "t1-b-1-i1-h1"), "is not a problem id"),
    "misspelled option": ((*RUN, "--replicate", "3"), "--replicates"),
    "unknown preset": ((*RUN, "--preset", "fast"), "'quick', 'full', 'fastrnns'"),
    "unknown mode": ((*RUN, "--mode", "backwards"), "'backward'"),
    "no replicates": ((*RUN, "--replicates", "0"), "not in the range 1<=x<="),
    "too many threads": ((*RUN, "--threads", "4096"), "this process may use"),
    "the reference": ((*RUN, "--impl", "reference"), "never timed"),
    "one twice": ((*RUN, "--impl", "torch_lstm", "--impl", "torch_lstm"), "two implementations are called torch_lstm"),
    "baseline not there": ((*RUN, "--impl", "jax_scan", "--baseline", "torch_lstm"), "not among jax_scan"),
    "problem that no memory holds": ((*RUN, "--problem", "t4-b2-i8-h1000000"), "its reference needs about"),
    "infinite memory": ((*RUN, "--memory-limit", "inf"), "inf is not a finite number"),
    "endless memory": ((*RUN, "--memory-limit", "1e300"), "is not in the range"),
    "no timeout": ((*RUN, "--timeout", "nan"), "nan"),
    "name too long": ((*RUN, "--out", "/tmp/" + "a" * 300), "File name too long"),
    "regression, name too long": ((*GATE, "--out", "/tmp/" + "a" * 300), "File name too long"),
    "regression, margin": ((*GATE, "--margin", "nan"), "nan"),
    "missing weights": ((*RUN, "--weights", "nowhere.npz"), "nowhere.npz does not exist"),
    "nothing to resume": ((*RUN, "--resume", "nowhere"), "no run to resume"),
    "unwritable out": ((*RUN, "--out", "/proc/nowhere"), "can't be written to"),
    "agree, unknown name": (("benchmarks", "agree", "--impl", "x"), "no implementation is called 'x'"),
    "agree, unknown dtype": (("benchmarks", "agree", "--dtype", "half"), "'float32', 'float64'"),
    "agree, a problem with a dtype": (
        ("benchmarks", "agree", "--problem", "t2-b1-i1-h1-float64"),
        "write --problem t2-b1-i1-h1 --dtype float64 in place of t2-b1-i1-h1-float64",
    ),
    "an endless weights file": ((*RUN, "--weights", "/dev/zero"), "is not a regular file"),
    "no command": (("impls", "evaluat"), "No such command 'evaluat'"),
    "report of nothing": (("reports", "report"), "Missing argument"),
}


@pytest.mark.process
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line(name, tmp_path, monkeypatch):
    """In this process; tests/impls/test_command_line.py tests the wrapper that prints it and exits with 2."""
    (package, *arguments), message = BAD[name]
    out = tmp_path / "out"
    if arguments[0] == "bench" and not {"--out", "--resume"} & set(arguments):
        arguments += ["--out", str(out)]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(VARIABLE, IEEE)
    monkeypatch.setattr(choices, "heed_signals", lambda: None)
    cli = importlib.import_module(f"{package}.__main__").cli
    refusal = CliRunner().invoke(cli, arguments, standalone_mode=False).exception
    assert isinstance(refusal, click.ClickException), refusal
    assert message in one_line(refusal.format_message())
    assert not out.exists()


@pytest.mark.process
@pytest.mark.parametrize(
    ("case", "message"), [("nowhere.npz", "does not exist"), ("/dev/zero", "is not a regular file")]
)
def test_a_case_that_can_not_be_read_is_one_clear_line(case, message, python):
    done = python(*EVALUATE, "--case", case, "--out", "o.npz")
    assert done.returncode == 2
    assert done.stderr == f"error: {case} {message}\n"


@pytest.mark.parametrize(("package", "old", "new"), [("benchmarks", "bench", "bench"), ("reports", "report", "report")])
def test_an_old_name_of_a_command_goes_on_working_and_the_new_one_is_said(package, old, new):
    cli = importlib.import_module(f"{package}.__main__").cli
    done = CliRunner().invoke(cli, [old, "--help"])
    assert done.exit_code == 0
    assert f" {new} [OPTIONS]" in done.stdout
    assert done.stderr == f"note: {old} is called {new} now\n"


@pytest.mark.process
@pytest.mark.parametrize("package", ["impls", "benchmarks", "reports"])
def test_no_command_at_all_is_answered_by_the_help(package, python):
    done = python(package)
    assert done.returncode == 2
    assert "\nCommands:\n" in done.stderr


def case(path, problem="t4-b2-i3-h5", **changes):
    parsed = Problem.parse(problem)
    inputs = make_inputs(parsed).arrays().copy()
    del inputs["target"]
    content = {**make_weights(parsed), **inputs, **changes}
    np.savez(path, **{name: value for name, value in content.items() if value is not None})
    return path


@pytest.mark.process
def test_an_out_that_holds_a_run_is_refused_and_left_alone(python, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    done = python(*RUN, "--out", tmp_path)
    assert done.returncode == 2
    assert "already holds a run" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.process
def test_weights_that_do_not_fit_the_problem_are_refused(python, tmp_path):
    weights = case(tmp_path / "w.npz")
    done = python(*RUN, "--weights", weights, "--problem", "t4-b2-i3-h6", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "does not fit t4-b2-i3-h6: weight_ih_l0 must have shape (24, 3), it has shape (20, 3)" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.process
@pytest.mark.parametrize("name", ["reference", "torch_lstm", "jax_scan_vjp"])
def test_evaluate_gives_outputs_and_the_gradient_of_every_array(name, python, tmp_path):
    done = python(
        "impls", "evaluate", name, "--case", case(tmp_path / "c.npz"), "--out", tmp_path / "o.npz", "--dtype", "float64"
    )
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "o.npz") as found:
        given = {*make_weights(Problem.parse("t4-b2-i3-h5")), "x", "h0", "c0"}
        assert set(found.files) == {"output", "h_n", "c_n", *(f"grad_{one}" for one in given)}
        assert found["output"].shape == (4, 2, 5)


@pytest.mark.process
def test_evaluate_without_cotangents_gives_outputs_only(python, tmp_path):
    absent = dict.fromkeys(("d_output", "d_h_n", "d_c_n", "h0"))
    done = python(
        "impls", "evaluate", "torch_cell", "--case", case(tmp_path / "c.npz", **absent), "--out", tmp_path / "o.npz"
    )
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "o.npz") as found:
        assert set(found.files) == {"output", "h_n", "c_n"}


@pytest.mark.process
def test_evaluate_refuses_the_peak(python, tmp_path):
    case(tmp_path / "c.npz")
    done = python("impls", "evaluate", "peak", "--case", tmp_path / "c.npz", "--out", tmp_path / "o.npz")
    assert done.returncode == 2
    assert done.stderr == "error: peak: it computes no LSTM, only multiply-adds\n"
    assert not (tmp_path / "o.npz").exists()


@pytest.mark.process
@pytest.mark.parametrize("out", ["folder", "link to a device", "pipe"])
def test_evaluate_replaces_nothing_but_files(python, tmp_path, out):
    path = tmp_path / "out"
    {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}.get(out, lambda: path.symlink_to(os.devnull))()
    before = path.stat().st_mode
    done = python(*EVALUATE, "--case", case(tmp_path / "c.npz"), "--out", path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "not a regular file" in done.stderr
    assert path.stat().st_mode == before


@pytest.mark.process
def test_evaluate_does_not_replace_its_own_case(python, tmp_path):
    path, link = case(tmp_path / "c.npz"), tmp_path / "link.npz"
    link.symlink_to(path)
    before = path.read_bytes()
    for out in (path, link):
        done = python(*EVALUATE, "--case", path, "--out", out)
        assert (done.returncode, done.stderr) == (2, f"error: {out} is the case itself; give another --out\n")
    assert path.read_bytes() == before


@pytest.mark.process
def test_evaluate_follows_a_link_heeds_the_umask_and_says_where_a_disk_is_full(tmp_path):
    """A limit on the size of files stands for the full disk."""
    out, link = tmp_path / "o.npz", tmp_path / "link.npz"
    link.symlink_to(out)
    line = f"{sys.executable} -m {' '.join(EVALUATE)} --case {case(tmp_path / 'c.npz')} --out"
    for before, path, code in (("umask 077", link, 0), ("ulimit -f 1", out, 2)):
        done = subprocess.run(
            ["bash", "-c", f"{before}; {line} {path}"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        assert link.is_symlink()
    assert done.stderr == f"error: {out} can't be written: File too large\n"
    with np.load(out) as found:
        assert set(found.files) >= {"output", "h_n", "c_n"}, "the old results are still there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.npz", "link.npz", "o.npz"]


@pytest.mark.process
def test_evaluate_refuses_a_bad_case_and_writes_nothing(python, tmp_path):
    path = case(tmp_path / "c.npz", h0=np.full((1, 2, 5), np.nan))
    done = python("impls", "evaluate", "torch_lstm", "--case", path, "--out", tmp_path / "o.npz")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "h0 holds NaN" in done.stderr
    assert not (tmp_path / "o.npz").exists()
