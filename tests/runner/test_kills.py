"""What is killed leaves nothing behind: a run, a gate, the building of an environment. A run goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pandas as pd
import psutil
import pytest

from benchmarks import choices
from benchmarks.calibration.injection import inject
from benchmarks.record import read_records
from benchmarks.scratch import scratch
from impls.core import environments
from tests.helpers.processes import FEW, SMALL, impls, start, wait_for


def start_run(out):
    return start(
        "-m", "benchmarks", "bench", *impls("torch_lstm"), *SMALL, "--replicates", "3", "--blocks", "12", "--out", out
    )


def workers_of(pid):
    """Every worker on this machine whose runner was that process."""
    mine = _started.get(pid, set())
    alive = psutil.process_iter(["pid", "cmdline"])
    return [one for one in alive if one.pid in mine and "benchmarks.worker" in (one.info["cmdline"] or [])]


_started: dict[int, set[int]] = {}


def remember_workers(pid):
    children = psutil.Process(pid).children(recursive=True)
    _started.setdefault(pid, set()).update(child.pid for child in children)
    return children


@pytest.mark.process
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_leaves_its_replicates_and_no_process_and_goes_on(tmp_path, python, how):
    out = tmp_path / "out"
    runner = start_run(out)
    first = out / "raw" / "replicate-000.parquet"
    wait_for(lambda: first.exists() or runner.poll() is not None)
    wait_for(lambda: remember_workers(runner.pid))
    runner.send_signal(how)
    output, _ = runner.communicate(timeout=60)
    if how != signal.SIGKILL:
        assert runner.returncode == 130, output
        assert "--resume" in output
    wait_for(lambda: not workers_of(runner.pid), 20)
    kept = first.read_bytes()
    assert not [row.reason for row in read_records(first) if row.status != "ok"]
    assert not (out / "results.parquet").exists()

    started = json.loads((out / "run.json").read_text())
    commit = started["commit"] = {"id": "0123456789" * 4, "dirty": False}  # as if another were checked out now
    (out / "run.json").write_text(json.dumps(started))
    damaged = []
    if how == signal.SIGKILL:
        damaged = ["replicate-002.parquet"]
        shutil.copyfile(first, first.with_name(damaged[0]))  # which another name makes no other replicate
    done = python("benchmarks", "bench", "--resume", out)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "warning" in line and "is now" in line] == [
        line for name in sorted(damaged) for line in done.stderr.splitlines() if f"/raw/{name}: " in line
    ]
    assert {path.name for path in (out / "raw").glob("*.damaged")} == {f"{name}.damaged" for name in damaged}
    assert json.loads((out / "environment.json").read_text())["commit"] == commit
    assert first.read_bytes() == kept
    rows = pd.read_parquet(out / "results.parquet")
    assert sorted(rows["replicate"].unique()) == [0, 1, 2]
    assert set(rows["status"]) == {"ok"}
    assert not list(out.rglob(".*"))


@pytest.mark.process
def test_this_test_file_would_notice_a_worker_left_behind():
    """The negative control of the orphan check above."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "benchmarks.worker"])
    try:
        _started[os.getpid()] = {child.pid}
        wait_for(lambda: workers_of(os.getpid()))
    finally:
        child.kill()
        child.wait()


def is_worker(pid):
    """Whether that process lives and is a worker; a zombie's command line can't be read, and it is gone."""
    try:
        return "benchmarks.worker" in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False


@pytest.mark.process
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize(("when", "blocks", "workers"), [("checking", 2, 2), ("comparing", 4000, 4)])
def test_a_killed_gate_leaves_no_worker_and_no_file(checkout, tmp_path, monkeypatch, how, when, blocks, workers):
    """Each step has workers of its own: two check, two more begin the first replicate."""
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    temporary.mkdir()
    path = checkout / "impls" / "torch_lstm.py"
    path.write_text(inject(path.read_text(), 3.0))
    runner = start(
        "-m", "benchmarks", "regression", "--base", "HEAD", "--impl", "torch_lstm", *FEW, "--blocks", blocks,
        "--out", out, cwd=checkout, XDG_CACHE_HOME=str(tmp_path / "cache"), TMPDIR=str(temporary),
    )  # fmt: skip
    seen: set[int] = set()

    def as_many_as_wanted():
        children = [child.pid for child in psutil.Process(runner.pid).children(recursive=True)]
        seen.update(filter(is_worker, children))
        return len(seen) >= workers and sum(map(is_worker, children)) == 2

    wait_for(as_many_as_wanted)
    if when != "checking":
        time.sleep(1)
    assert runner.poll() is None
    runner.send_signal(how)
    said, _ = runner.communicate(timeout=60)
    wait_for(lambda: not any(map(is_worker, seen)), 20)
    assert not out.exists() or not list(out.iterdir()), said
    assert not list((tmp_path / "cache" / "lstm-bench" / "files").glob(".*"))
    if how == signal.SIGINT:
        assert runner.returncode == 130, said
        assert not list(temporary.iterdir())
    assert choices.usable_out(out) == out
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with scratch() as folder:  # as the next command does first
        assert list(temporary.iterdir()) == [folder]


SLOW_TO_BUILD = """
import os, pathlib, subprocess, time
child = subprocess.Popen(["sleep", "1000"])
pathlib.Path({pids!r}).write_text(f"{{os.getpid()}} {{child.pid}}\\n")
time.sleep(1000)
"""


@pytest.mark.process
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_build_of_an_environment_leaves_no_process_and_nothing_half_built(tmp_path, monkeypatch, how):
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
    wait_for(lambda: pids.exists() and pids.read_text().endswith("\n"))
    mine = [int(word) for word in pids.read_text().split()]
    assert all(map(psutil.pid_exists, mine))
    builder.send_signal(how)
    builder.communicate(timeout=60)
    wait_for(lambda: not any(map(psutil.pid_exists, mine)), 20)
    built = cache / "lstm-bench" / "environments"
    if how == signal.SIGINT:
        assert [path.suffix for path in built.iterdir()] == [".lock"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    environments.sweep()  # as the next command does first
    assert [path.suffix for path in built.iterdir()] == [".lock"]
