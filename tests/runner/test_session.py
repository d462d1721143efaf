"""Whole runs: their files, what they refuse to go on with, and what they say where there is nothing to time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from benchmarks.options import Options
from benchmarks.record import Record
from benchmarks.runner import blocks
from benchmarks.runner.arm import Arm, ArmFailed
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side, Version
from benchmarks.worker import requests
from benchmarks.worker.devices import LEAST_TURN
from impls.core import registry
from tests.helpers import processes
from tests.helpers.processes import ROOT, SMALL, impls
from tests.helpers.sessions import BENCHMARK, admission, arm_of, session_of


@pytest.mark.process
def test_a_file_that_changes_after_it_was_checked_is_not_timed(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text((ROOT / "impls" / "torch_lstm.py").read_text())
    arm = arm_of(registry.resolve(str(path)), tmp_path)
    try:
        arm.ensure_running()
        arm.kill()
        path.write_text(path.read_text() + "\n# changed\n")
        with pytest.raises(ArmFailed, match=r"error: mine.py has changed since it was checked"):
            arm.ensure_running()
        assert not arm.alive
    finally:
        arm.kill()


NAMES = ("torch_lstm", "torch_cell")


def admitted(tmp_path, *labels):
    """A session whose sides have been admitted, without a worker."""
    sides = [Side(label, {name: Version(registry.resolve(name)) for name in NAMES}) for label in labels]
    session = session_of(tmp_path, *sides)
    for label in labels:
        for name in NAMES:
            session.admissions[label, name, BENCHMARK] = admission(name, seconds=0.005)
    return session


def row(name, **changes):
    return Record(run_id="r", implementation=name, problem="t4-b2-i8-h8", workload="sequence", mode="train_step",
                  replicate=0, **changes)  # fmt: skip


def test_a_replicate_teaches_the_next(tmp_path):
    """How long calls took decides the samples of a turn, not one look of the admission; a failed arm is left alone."""
    session = admitted(tmp_path, "run")
    benchmark = session.benchmarks[0]
    assert session.plan("torch_lstm", benchmark).samples == 3
    session.learn([row("torch_lstm", seconds=0.001), row("torch_cell", status="crashed", reason="SIGSEGV")])
    assert session.plan("torch_lstm", benchmark).samples == 15
    assert session.failures["run", "torch_cell", BENCHMARK].reason == "SIGSEGV"
    assert session.ok("torch_lstm", BENCHMARK)
    assert not session.ok("torch_cell", BENCHMARK)


def test_the_sides_of_an_implementation_have_one_plan_and_fail_together(tmp_path):
    session = admitted(tmp_path, "base", "head")
    benchmark = session.benchmarks[0]
    session.learn([row("torch_lstm", side="base", seconds=0.001), row("torch_lstm", side="head", seconds=0.0015)])
    assert session.plan("torch_lstm", benchmark).samples == 10
    session.learn([row("torch_lstm", side="head", status="timed_out", reason="slow")])
    assert set(session.failures) == {("head", "torch_lstm", BENCHMARK)}
    assert not session.ok("torch_lstm", BENCHMARK)
    assert session.ok("torch_cell", BENCHMARK)


def test_turns_on_a_gpu_are_longer_and_begin_warm(tmp_path):
    session = admitted(tmp_path, "run")
    benchmark = session.benchmarks[0]
    assert session.plan("torch_lstm", benchmark).warm == 0
    session.options = msgspec.structs.replace(session.options, device="cuda")
    assert session.plan("torch_lstm", benchmark).warm == 3  # calls of 5 ms; the turn has one more


@pytest.mark.process
def test_resume_refuses_what_has_changed(tmp_path, python):
    path = tmp_path / "mine.py"
    path.write_text((ROOT / "impls" / "torch_lstm.py").read_text())
    done = python("benchmarks", "bench", *impls(path), *SMALL, "--replicates", "1", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    path.write_text(path.read_text() + "\n# changed\n")
    done = python("benchmarks", "bench", "--resume", tmp_path / "out")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "mine.py has changed since" in done.stderr

    path.write_text((ROOT / "impls" / "torch_lstm.py").read_text())
    started = json.loads((tmp_path / "out" / "run.json").read_text())
    (tmp_path / "out" / "run.json").write_text(json.dumps({**started, "shared_digests": {"core/problem.py": "other"}}))
    done = python("benchmarks", "bench", "--resume", tmp_path / "out")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "has changed since that run began" in done.stderr


def orders(rows):
    """The implementations in the order of their turns: by replicate, block and benchmark, in the order of these."""
    turns = pd.DataFrame(
        {"replicate": row.replicate, "of": f"{row.workload}/{row.mode}", "name": row.implementation, **turn}
        for row in rows.itertuples()
        for turn in row.turns
    ).sort_values("started")
    grouped = turns.groupby(["replicate", "block", "of"], sort=False)
    assert all(list(group["position"]) == list(range(len(group))) for _, group in grouped)
    spans = grouped["started"].agg(["min", "max"]).sort_values("min")
    assert (spans["max"].to_numpy()[:-1] < spans["min"].to_numpy()[1:]).all()  # one benchmark at a time
    visits = [key[:2] for key in spans.index]
    assert visits == sorted(visits)  # each block visits every benchmark before the next one begins
    return {key: list(grouped.get_group(key)["name"]) for key in spans.index}


@pytest.mark.process
def test_the_files_of_a_run(tmp_path, python):
    """Records readable by pandas alone; results.json by pytest-benchmark; provenance; given weights; one thread."""
    import numpy as np

    from impls.core.problem import Problem
    from impls.core.weights import make_weights

    weights = tmp_path / "w.npz"
    np.savez(weights, **make_weights(Problem.parse("t1-b1-i6-h8"), seed=9))
    out = tmp_path / "out"
    done = python(
        "benchmarks", "bench", *impls("torch_lstm", "jax_scan"), "--workload", "sequence", "--workload", "cell",
        "--mode", "forward", "--weights", weights, "--threads", "1", "--replicates", "2", "--blocks", "3", "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(out / "results.parquet")
    assert set(rows["problem"]) == {"t64-b16-i6-h8"}
    assert set(rows["implementation"]) == {"torch_lstm", "jax_scan", "peak"}
    assert (rows["cores_used"] <= 1.05).all()
    assert (rows["seconds"] > 0).all()
    assert rows["peak_bytes"].notna().all()
    one = rows.iloc[0]
    assert len(one["turns"]) == 3 * 2
    assert one["seconds"] == pytest.approx(np.median([turn["seconds"] for turn in one["turns"]]))
    taken = orders(rows)
    assert len(taken) == 2 * 3 * 2  # replicates, blocks, benchmarks
    for names in taken.values():
        assert names == names[::-1]
        assert sorted(names[:3]) == ["jax_scan", "peak", "torch_lstm"]
    assert len({tuple(names) for names in taken.values()}) > 1
    environment = json.loads((out / "environment.json").read_text())
    assert environment["versions"]["torch"]
    assert environment["run"]["weights"] == str(weights)
    assert "torch_lstm" in (out / "table.md").read_text()
    for line in ("cold starts", "warm starts", "measuring", "report", "waiting"):
        assert line in done.stdout

    compared = subprocess.run(
        [Path(sys.executable).parent / "pytest-benchmark", "compare", str(out / "results.json")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert compared.returncode == 0, compared.stderr
    assert "torch_lstm-t64-b16-i6-h8-sequence-forward" in compared.stdout + compared.stderr


@pytest.mark.process
def test_float64_is_a_problem_like_any_other(tmp_path, python):
    done = python(
        "benchmarks", "bench", *impls("jax_scan"), "--problem", "t4-b2-i8-h8-float64", "--mode", "forward",
        "--no-floor", "--replicates", "1", "--blocks", "2", "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(tmp_path / "out" / "results.parquet")
    assert list(rows["status"]) == ["ok"]
    assert rows["error"][0] <= 1e-12


@pytest.mark.process
def test_without_a_gpu_the_rows_say_no_device(tmp_path, python):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    done = python(
        "benchmarks", "bench", *impls("torch_lstm", "jax_scan"), *SMALL, "--device", "cuda", "--out", tmp_path / "o"
    )
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(tmp_path / "o" / "results.parquet")
    assert set(rows["status"]) == {"no_device"}
    assert all("sees no CUDA device" in reason for reason in rows["reason"])
    assert "sees no CUDA device" in done.stdout
    assert "nothing was timed (no_device: " in done.stderr
    assert json.loads((tmp_path / "o" / "run.json").read_text())["turn_seconds"] == LEAST_TURN["cuda"]


@pytest.mark.process
def test_pytest_benchmark_compares_in_an_environment_without_the_tests_libraries(tmp_path):
    """Its command reads tests/conftest.py, and doesn't have the checkout on its path."""
    (tmp_path / "hypothesis.py").write_text("raise ModuleNotFoundError('no hypothesis')")
    (tmp_path / "results.json").write_text(
        json.dumps({"benchmarks": [], "commit_info": {}, "machine_info": {}, "datetime": "2026-11-25T00:00:00"})
    )
    compare = "import sys; sys.path.remove(''); from pytest_benchmark.cli import main; main()"
    done = processes.python("-c", compare, "compare", tmp_path / "results.json", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr


@pytest.mark.process
def test_the_suite_runs_under_pytest_benchmark_alone(tmp_path, python):
    done = python(
        "pytest", "benchmarks", "-k", "torch_lstm and not cell and b1-i128 and forward and not train",
        "--benchmark-json", tmp_path / "b.json", "--benchmark-max-time", "0.05", "-p", "no:cacheprovider",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    found = json.loads((tmp_path / "b.json").read_text())["benchmarks"]
    assert [one["name"] for one in found] == ["bench_lstm[t64-b1-i128-h128/sequence/forward-torch_lstm]"]
    assert found[0]["stats"]["rounds"] >= 5


@pytest.mark.process
def test_pytest_benchmark_computes_on_the_device_that_is_asked_for(python):
    done = python(
        "pytest", "benchmarks", "-k", "torch_lstm and not cell and b1-i128 and forward and not train",
        "--device", "cuda", "-p", "no:cacheprovider", CUDA_VISIBLE_DEVICES="",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "NoDevice: PyTorch sees no CUDA device" in done.stdout


@pytest.mark.process
def test_benchmarks_that_do_not_fit_together_are_measured_in_groups(tmp_path, monkeypatch):
    """Here memory is always scarce, so each is a group of its own: every arm releases it before the next is opened."""
    texts = (BENCHMARK, "t4-b2-i8-h8/sequence/forward", "t5-b2-i8-h8/sequence/forward")
    configuration = Options(
        run_id="r", benchmarks=texts, device="cpu", threads=1, turn_seconds=0.001, seed=0, weights=None,
        call_seconds=60, memory_bytes=2**34,
    )  # fmt: skip
    sides = [Side("run", {"numpy_lstm": Version(registry.resolve("numpy_lstm"))})]
    cores = (min(os.sched_getaffinity(0)),)
    asked = []
    ask = Arm.ask

    def noted(self, request, *more, **options):
        if isinstance(request, (requests.Open, requests.Close)):
            asked.append((type(request).__name__, request.benchmark))
        return ask(self, request, *more, **options)

    with Session(configuration, sides, cores, tmp_path, lambda *_: None) as session:
        session.admit()
        monkeypatch.setattr(Arm, "ask", noted)
        monkeypatch.setattr(blocks, "scarce", lambda: True)
        rows = session.replicate(0, 1)
    assert [row.status for row in rows] == ["ok"] * 3
    opened = [benchmark for what, benchmark in asked if what == "Open"]
    assert sorted(opened) == sorted(texts)
    first, second, third = opened
    assert asked == [
        ("Open", first), ("Close", first), ("Open", second), ("Close", second), ("Open", third)
    ]  # fmt: skip
