"""What is killed leaves nothing behind: a run, a gate, the building of an environment. A run goes on.

Each is killed where it waits for a file, so that no test depends on how fast anything is.
"""

import json
import signal
import tempfile

import pandas as pd
import psutil
import pytest

from benchmarks import out_folder
from benchmarks.record import read_records
from benchmarks.scratch import scratch
from impls.core import environments
from tests.helpers.processes import FEW, ROOT, SMALL, children, impls, runs, start, wait_for

pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]

WORKER = "benchmarks.worker"
WAITING = '''

from pathlib import Path as _Path
import time as _time
_prepare = prepare

def prepare(problem, weights, device, workload):
    """The first ones of its processes are counted by files, and the last of them waits."""
    number = len(list(_Path({folder!r}).glob("prepared-*")))
    _Path({folder!r}, f"prepared-{{number}}").touch()
    while number + 1 >= {last} and not _Path({folder!r}, "go").exists():
        _time.sleep(0.01)
    return _prepare(problem, weights, device, workload)
'''
"""What is added to an implementation: where it is prepared for the time `last`, it waits until the file go is there."""


def make_wait(path, folder, last):
    """Write numpy_lstm to a file, so that it waits; return what is there once it does."""
    folder.mkdir()
    path.write_text((ROOT / "impls" / "numpy_lstm.py").read_text() + WAITING.format(folder=str(folder), last=last))
    return folder / f"prepared-{last - 1}"


def ended(runner, how):
    """Send the signal; what was said, once no worker is left."""
    workers = children(runner, WORKER)
    assert workers
    assert runner.poll() is None
    runner.send_signal(how)
    said, _ = runner.communicate(timeout=120)
    wait_for(lambda: not any(runs(pid, WORKER) for pid in workers))
    return said


@pytest.mark.parametrize("how", [pytest.param(signal.SIGTERM, marks=pytest.mark.nightly), signal.SIGKILL])
def test_a_killed_run_leaves_its_replicates_and_no_process_and_goes_on(tmp_path, python, how):
    """It is killed in its second replicate: the file is prepared at the admission, and in each replicate."""
    out, path = tmp_path / "out", tmp_path / "waiting.py"
    waits = make_wait(path, tmp_path / "waits", last=3)
    runner = start("-m", "benchmarks", "bench", *impls(path), *SMALL, "--out", out)
    wait_for(lambda: waits.exists() or runner.poll() is not None)
    said = ended(runner, how)
    if how != signal.SIGKILL:
        assert runner.returncode == 130, said
        assert "--resume" in said
    first = out / "raw" / "replicate-000.parquet"
    before = first.read_bytes()
    assert [row.status for row in read_records(first)] == ["ok"]
    assert not (out / "results.parquet").exists()

    (tmp_path / "waits" / "go").touch()
    began = json.loads((out / "run.json").read_text())
    commit = began["commit"] = {"id": "0123456789" * 4, "dirty": False}  # as if another were checked out now
    (out / "run.json").write_text(json.dumps(began))
    done = python("benchmarks", "bench", "--resume", out)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    assert json.loads((out / "environment.json").read_text())["commit"] == commit
    assert first.read_bytes() == before
    rows = pd.read_parquet(out / "results.parquet")
    assert list(rows["replicate"]) == [0, 1]
    assert set(rows["status"]) == {"ok"}
    assert not list(out.rglob(".*"))


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.nightly)])
def test_a_killed_gate_leaves_no_worker_and_no_file(checkout, tmp_path, monkeypatch, how):
    """It is killed in its first replicate, whose workers are new: two have been checked before."""
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    temporary.mkdir()
    waits = make_wait(checkout / "impls" / "numpy_lstm.py", tmp_path / "waits", last=3)
    runner = start(
        "-m", "benchmarks", "regression", "--base", "HEAD", "--impl", "numpy_lstm", *FEW,
        "--out", out, cwd=checkout, XDG_CACHE_HOME=str(tmp_path / "cache"), TMPDIR=str(temporary),
    )  # fmt: skip
    wait_for(lambda: waits.exists() or runner.poll() is not None)
    assert len(children(runner, WORKER)) == 2
    said = ended(runner, how)
    assert not out.exists() or not list(out.iterdir()), said
    assert not list((tmp_path / "cache" / "lstm-bench" / "files").glob(".*"))
    if how == signal.SIGINT:
        assert runner.returncode == 130, said
        assert not list(temporary.iterdir())
    assert out_folder.usable_out(out, "regression") == out
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with scratch() as folder:  # as the next command does first
        assert list(temporary.iterdir()) == [folder]


SLOW_TO_BUILD = """
import os, pathlib, subprocess, time
child = subprocess.Popen(["sleep", "1000"])
pathlib.Path({pids!r}).write_text(f"{{os.getpid()}} {{child.pid}}\\n")
time.sleep(1000)
"""


def test_a_killed_build_of_an_environment_leaves_no_process_and_nothing_half_built(tmp_path, monkeypatch):
    """A package whose build never ends, and which starts a process of its own."""
    package, pids, cache = tmp_path / "package", tmp_path / "pids", tmp_path / "cache"
    package.mkdir()
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "forever"\nbackend-path = ["."]\n'
        '[project]\nname = "forever"\nversion = "1"\n'
    )
    (package / "forever.py").write_text(SLOW_TO_BUILD.format(pids=str(pids)))
    code = f"from impls.core import environments; environments.build(['forever @ {package.as_uri()}'])"
    builder = start("-c", code, XDG_CACHE_HOME=str(cache))
    wait_for(lambda: (pids.exists() and pids.read_text().endswith("\n")) or builder.poll() is not None)
    mine = [int(word) for word in pids.read_text().split()]
    assert all(map(psutil.pid_exists, mine))
    builder.kill()
    builder.communicate(timeout=120)
    wait_for(lambda: not any(map(psutil.pid_exists, mine)))
    built = cache / "lstm-bench" / "environments"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    environments.sweep()  # as the next command does first
    assert [path.suffix for path in built.iterdir()] == [".lock"]
