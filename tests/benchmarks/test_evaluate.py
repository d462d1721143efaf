"""`evaluate`: a case in, its results out, or one line and nothing written."""

import os
import stat

import click
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import evaluate
from tests.helpers.evaluating import case, evaluated
from tests.helpers.pools import MINE
from tests.helpers.processes import ROOT, python


def refused(name, *options):
    """The line of a refusal; tests/impls/test_command_line.py tests the wrapper that prints it and exits with 2."""
    done = CliRunner().invoke(evaluate.evaluate, [name, *map(str, options)], standalone_mode=False)
    assert isinstance(done.exception, click.UsageError), done.exception
    return done.exception.format_message()


@pytest.mark.parametrize("out", ["folder", "link to a device", "pipe", "link to the case"])
def test_it_replaces_nothing_but_files_and_not_its_own_case(tmp_path, out):
    given, path = case(tmp_path / "c.npz"), tmp_path / "out"
    if out == "folder":
        path.mkdir()
    elif out == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(os.devnull if out == "link to a device" else given)
    before = path.lstat().st_mode, given.read_bytes()
    message = "is the case itself" if out == "link to the case" else "not a regular file"
    assert message in refused("numpy_lstm", "--case", given, "--out", path)
    assert (path.lstat().st_mode, given.read_bytes()) == before


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ({}, "peak", "it computes no LSTM"),
        ({"h0": np.full((1, 2, 5), np.nan)}, "numpy_lstm", "h0 holds NaN"),
        (None, "numpy_lstm", "does not exist"),
        ({"x": np.full((4, 2, 3), 1e300)}, "numpy_lstm", "c.npz: x holds 1e+300, which float32 can't hold"),
        ({"x": np.full((4, 2, 3), 1e-310)}, "numpy_lstm", "x holds at most 1e-310, which float32 rounds to zero"),
    ],
)
def test_what_cannot_be_computed_is_refused_before_a_worker_starts(content, name, message, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "Arm", None)
    path, out = tmp_path / "c.npz", tmp_path / "o.npz"
    if content is not None:
        case(path, **content)
    assert message in refused(name, "--case", path, "--out", out)
    assert not out.exists()


def test_a_case_for_which_there_is_not_enough_memory_gives_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(evaluate, "read_case", lambda *_: bytes(2**62))
    words = ["numpy_lstm", "--case", "c.npz", "--out", str(tmp_path / "o.npz")]
    assert isinstance(CliRunner().invoke(evaluate.evaluate, words).exception, MemoryError)


@pytest.mark.process
def test_the_worker_of_evaluate_writes_what_the_case_asks_for(tmp_path):
    """From another folder, and as the umask says."""
    given, out = case(tmp_path / "c.npz"), tmp_path / "o.npz"
    before = os.umask(0o077)
    try:
        words = ("evaluate", "numpy_lstm", "--case", "c.npz", "--out", "o.npz", "--dtype", "float64")
        done = python("-m", "impls", *words, cwd=tmp_path, PYTHONPATH=str(ROOT))
    finally:
        os.umask(before)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with np.load(out) as results:
        assert set(results) == set(evaluated("numpy_lstm", given))


@pytest.mark.process
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("os.kill(os.getpid(), 9)", "mine: crashed: the process killed by SIGKILL"),
        ("raise MemoryError", "mine: out_of_memory: MemoryError"),
        ("print('here'); raise KeyError(*map(os.environ.get, NAMES))", "mine: KeyError: (None, '0', '0')"),
    ],
)
def test_where_a_worker_fails_the_last_line_says_how(line, message, tmp_path):
    """Also its variables are those of every worker: what changes the precision is dropped."""
    names = ("CUDA_LAUNCH_BLOCKING", "NVIDIA_TF32_OVERRIDE", "JAX_ENABLE_X64")
    path = tmp_path / "mine.py"
    path.write_text(f"import os\n{MINE}\nNAMES = {names}\ndef prepare(*_):\n    {line}\n")
    words = ("evaluate", path, "--case", case(tmp_path / "c.npz"), "--out", tmp_path / "o.npz")
    done = python("-m", "impls", *words, CUDA_LAUNCH_BLOCKING="1", JAX_ENABLE_X64="1")
    assert (done.returncode, done.stdout) == (2, "")
    printed, last = done.stderr.splitlines()[:-1], done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {message}")
    assert printed == [] if "kill" in line else str(path) in "".join(printed)
    assert not (tmp_path / "o.npz").exists()
