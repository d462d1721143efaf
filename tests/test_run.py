"""Whole runs: faults cost their own rows only; a run that is killed leaves nothing behind and goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from benchmarks.arm import Arm, ArmFailed, Limits
from benchmarks.record import read_records
from impls import contract
from tests import faulty
from tests.conftest import ROOT

SMALL = ("--problem", "t4-b2-i8-h8", "--mode", "train_step", "--replicates", "2", "--blocks", "2", "--no-floor")


def impls(*names):
    return [word for name in names for word in ("--impl", name)]


@pytest.fixture(scope="module")
def faulty_run(tmp_path_factory):
    """One run with every fault in it, beside two good implementations."""
    folder = tmp_path_factory.mktemp("faults")
    paths = [faulty.write(folder, name) for name in faulty.STATUS]
    command = [sys.executable, "-m", "benchmarks", "run", *impls("torch_lstm", *map(str, paths), "jax_scan")]
    command += [
        *SMALL,
        "--mode",
        "forward",
        "--out",
        str(folder / "out"),
        "--replicates",
        "1",
        "--timeout",
        "8",
        "--memory-limit",
        "1.5",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    return done, folder / "out"


@pytest.mark.slow
@pytest.mark.parametrize("name", faulty.STATUS)
def test_a_fault_is_told_with_status_and_reason(faulty_run, name):
    rows = pd.read_parquet(faulty_run[1] / "results.parquet")
    rows = rows[(rows["implementation"] == name) & (rows["mode"] == "train_step")]
    status, reason = faulty.STATUS[name]
    assert list(rows["status"]) == [status], list(rows["reason"])
    assert rows["reason"].str.contains(reason, regex=False).all(), list(rows["reason"])
    assert rows["seconds"].isna().all()


@pytest.mark.slow
def test_a_fault_costs_its_own_rows_only(faulty_run):
    done, out = faulty_run
    assert done.returncode == 1, done.stderr
    rows = pd.read_parquet(out / "results.parquet")
    assert len(rows) == (len(faulty.STATUS) + 2) * 2
    good = rows[rows["implementation"].isin(["torch_lstm", "jax_scan"])]
    assert set(good["status"]) == {"ok"}
    wholly_bad = ["wrong_formula", "no_such_module", "mistyped_import"]
    # the other mode of a file whose train_step alone is bad
    others = rows[(rows["mode"] == "forward") & ~rows["implementation"].isin(wholly_bad)]
    assert set(others["status"]) == {"ok"}, others[others["status"] != "ok"][["implementation", "reason"]].to_string()


@pytest.mark.slow
def test_every_fault_is_in_the_table(faulty_run):
    done, out = faulty_run
    text = (out / "table.md").read_text()
    for name, (status, _) in faulty.STATUS.items():
        assert f"| {name} " in text
        assert status in text
        assert name in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_arm_that_dies_while_it_is_timed_leaves_the_others_alone(tmp_path):
    path = faulty.write(tmp_path, "late_crash")
    broken = tmp_path / "broken"
    code = (
        "import os, sys; from benchmarks import run; start = run.Run.measure\n"
        "def measure(self, *args):\n    os.environ['LATE'] = '1'\n    return start(self, *args)\n"
        "run.Run.measure = measure\n"
        "from benchmarks.__main__ import cli; sys.exit(cli.main(sys.argv[1:], standalone_mode=False))"
    )
    command = [sys.executable, "-c", code, "run", *impls("torch_lstm", str(path)), *SMALL, "--mode", "forward"]
    command += ["--out", str(broken)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    rows = pd.read_parquet(broken / "results.parquet").set_index(["implementation", "mode", "replicate"]).sort_index()
    assert rows.loc["torch_lstm", "status"].tolist() == ["ok"] * 4
    # the first replicate's workers came from the gate, before they were told to crash
    assert rows.loc[("late_crash", "train_step"), "status"].tolist() == ["ok", "crashed"]
    assert "exited with code 9" in rows.loc[("late_crash", "train_step", 1), "reason"]
    # its process went down with what else was open in it, which is opened again in a new one
    assert rows.loc[("late_crash", "forward"), "status"].tolist() == ["ok", "ok"]
    assert [len(turns) for turns in rows.loc[("late_crash", "forward"), "turns"]] == [4, 4]
    assert done.returncode == 1


# A shell starts what it runs in the background with SIGINT ignored, and children inherit that. Not a preexec_fn: that
# forks this process, in which JAX's threads may be running.
HEED_INTERRUPTS = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


def start_run(out):
    command = [sys.executable, "-c", HEED_INTERRUPTS, sys.executable, "-m", "benchmarks", "run", *impls("torch_lstm")]
    command += [*SMALL, "--replicates", "3", "--blocks", "12", "--out", str(out)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(what, seconds=120):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


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


@pytest.mark.slow
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
    assert not [row["reason"] for row in read_records(first) if row["status"] != "ok"]
    assert not (out / "results.parquet").exists()

    started = json.loads((out / "run.json").read_text())
    commit = started["commit"] = {"id": "0123456789" * 4, "dirty": False}  # as if another were checked out now
    (out / "run.json").write_text(json.dumps(started))
    done = python("benchmarks", "run", "--resume", out)
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "environment.json").read_text())["commit"] == commit
    assert first.read_bytes() == kept
    rows = pd.read_parquet(out / "results.parquet")
    assert sorted(rows["replicate"].unique()) == [0, 1, 2]
    assert set(rows["status"]) == {"ok"}
    assert not list(out.rglob(".*"))


@pytest.mark.slow
def test_a_file_that_changes_after_it_was_checked_is_not_timed(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text((ROOT / "impls" / "torch_lstm.py").read_text())
    arm = Arm(
        contract.resolve(str(path)), "cpu", Limits((min(os.sched_getaffinity(0)),), 60, 2**34), "float32", tmp_path
    )
    try:
        arm.ensure_running()
        arm.kill()
        path.write_text(path.read_text() + "\n# changed\n")
        with pytest.raises(ArmFailed, match=r"error: mine.py has changed since it was checked"):
            arm.ensure_running()
        assert not arm.alive
    finally:
        arm.kill()


@pytest.mark.slow
def test_resume_refuses_what_has_changed(tmp_path, python):
    path = tmp_path / "mine.py"
    path.write_text((ROOT / "impls" / "torch_lstm.py").read_text())
    done = python("benchmarks", "run", *impls(path), *SMALL, "--replicates", "1", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    path.write_text(path.read_text() + "\n# changed\n")
    done = python("benchmarks", "run", "--resume", tmp_path / "out")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "mine.py has changed since" in done.stderr

    path.write_text((ROOT / "impls" / "torch_lstm.py").read_text())
    started = json.loads((tmp_path / "out" / "run.json").read_text())
    (tmp_path / "out" / "run.json").write_text(json.dumps({**started, "shared_digest": "other"}))
    done = python("benchmarks", "run", "--resume", tmp_path / "out")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "a file of impls/ that implementations import has changed since" in done.stderr


@pytest.mark.slow
def test_the_files_of_a_run(tmp_path, python):
    """Records readable by pandas alone; results.json by pytest-benchmark; provenance; given weights; one thread."""
    import numpy as np

    from impls.problem import Problem
    from impls.weights import make_weights

    weights = tmp_path / "w.npz"
    np.savez(weights, **make_weights(Problem.parse("t1-b1-i6-h8"), seed=9))
    out = tmp_path / "out"
    done = python(
        "benchmarks", "run", *impls("torch_lstm", "jax_scan"), "--workload", "sequence", "--workload", "cell",
        "--mode", "forward", "--weights", weights, "--threads", "1", "--replicates", "2", "--blocks", "3", "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(out / "results.parquet")
    assert set(rows["problem"]) == {"t64-b16-i6-h8"}
    assert set(rows["implementation"]) == {"torch_lstm", "jax_scan", "floor"}
    assert rows["cores_used"].between(0.5, 1.05).all()
    assert (rows["seconds"] > 0).all()
    assert (rows["peak_bytes"] >= 0).all()
    one = rows.iloc[0]
    assert len(one["turns"]) == 3 * 2
    assert one["seconds"] == pytest.approx(np.median([turn["seconds"] for turn in one["turns"]]))
    environment = json.loads((out / "environment.json").read_text())
    assert environment["versions"]["torch"]
    assert environment["run"]["weights"] == str(weights)
    assert "torch_lstm" in (out / "table.md").read_text()
    for line in ("cold starts", "warm starts", "measuring", "waiting"):
        assert line in done.stdout

    compared = subprocess.run(
        [Path(sys.executable).parent / "pytest-benchmark", "compare", str(out / "results.json")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert compared.returncode == 0, compared.stderr
    assert "torch_lstm-t64-b16-i6-h8-sequence-forward" in compared.stdout + compared.stderr


@pytest.mark.slow
def test_float64_is_a_problem_like_any_other(tmp_path, python):
    run = (
        "benchmarks",
        "run",
        *impls("jax_scan"),
        "--problem",
        "t4-b2-i8-h8-float64",
        "--mode",
        "forward",
        "--no-floor",
    )
    done = python(*run, "--replicates", "1", "--blocks", "2", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(tmp_path / "out" / "results.parquet")
    assert list(rows["status"]) == ["ok"]
    assert rows["error"][0] <= 1e-12


@pytest.mark.slow
def test_no_gpu_is_an_unsupported_row(tmp_path, python):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    done = python(
        "benchmarks", "run", *impls("torch_lstm", "jax_scan"), *SMALL, "--device", "cuda", "--out", tmp_path / "o"
    )
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(tmp_path / "o" / "results.parquet")
    assert set(rows["status"]) == {"unsupported"}
    assert set(rows["reason"]) == {"no CUDA device"}
    assert "no CUDA device" in done.stdout
    assert "nothing was timed (unsupported: no CUDA device)" in done.stderr


@pytest.mark.slow
def test_the_suite_runs_under_pytest_benchmark_alone(tmp_path):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "benchmarks",
        "-k",
        "torch_lstm and not cell and b1-i128 and forward and not train",
    ]
    command += ["--benchmark-json", str(tmp_path / "b.json"), "--benchmark-max-time", "0.05", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout
    found = json.loads((tmp_path / "b.json").read_text())["benchmarks"]
    assert [one["name"] for one in found] == ["bench_lstm[t64-b1-i128-h128/sequence/forward-torch_lstm]"]
    assert found[0]["stats"]["rounds"] >= 5


def test_this_test_file_would_notice_a_worker_left_behind():
    """The negative control of the orphan check above."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "benchmarks.worker"])
    try:
        _started[os.getpid()] = {child.pid}
        wait_for(lambda: workers_of(os.getpid()))
    finally:
        child.kill()
        child.wait()
