"""A session: what a replicate teaches the next, what its rows have, and whole runs with their files."""

import json
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pandas as pd
import pytest

from benchmarks.judge import agreement
from benchmarks.judge.expected import saved
from benchmarks.progress import Stage
from benchmarks.runner import blocks, round_trip
from benchmarks.runner.sides import ArmFailed, Side, Version
from benchmarks.worker import requests
from benchmarks.worker.used_files import Used
from impls.core import registry
from impls.core.problem import Problem
from impls.core.weights import make_weights
from tests.helpers.processes import environment, impls
from tests.helpers.sessions import BENCHMARK, Answering, admission, row_of, session_of

NAMES = ("numpy_lstm", "torch_cell")


def admitted(tmp_path, *labels, **how):
    """A session whose sides have been admitted, without a worker."""
    sides = [Side(label, {name: Version(registry.resolve(name)) for name in NAMES}) for label in labels]
    session = session_of(tmp_path, *sides, **how)
    for label in labels:
        for name in NAMES:
            side = label if len(labels) > 1 else None
            session.admissions[label, name, BENCHMARK] = admission(name, side=side, seconds=0.005, versions="numpy 2")
    return session


def test_a_replicate_teaches_the_next(tmp_path):
    """How long calls took decides the samples of a turn, not one look of the admission; a failed arm is left alone."""
    session = admitted(tmp_path, "run")
    benchmark = session.benchmarks[0]
    assert session.plan("numpy_lstm", benchmark).samples == 3
    session.learn([row_of("numpy_lstm", seconds=0.001), row_of("torch_cell", status="crashed", reason="SIGSEGV")])
    assert session.plan("numpy_lstm", benchmark).samples == 15
    assert session.failures["run", "torch_cell", BENCHMARK].reason == "SIGSEGV"
    assert session.ok("numpy_lstm", BENCHMARK)
    assert not session.ok("torch_cell", BENCHMARK)
    session.learn([row_of("numpy_lstm", seconds=second) for second in (0.003, 0.1)])
    assert session.plan("numpy_lstm", benchmark).samples == 5, "the median of three replicates"


def test_the_sides_of_an_implementation_have_one_plan_and_fail_together(tmp_path):
    session = admitted(tmp_path, "base", "head")
    benchmark = session.benchmarks[0]
    session.learn([row_of("numpy_lstm", side="base", seconds=0.001), row_of("numpy_lstm", side="head", seconds=0.0015)])
    assert session.plan("numpy_lstm", benchmark).samples == 10, "that of the slower side"
    session.learn([row_of("numpy_lstm", side="head", status="timed_out", reason="slow")])
    assert set(session.failures) == {("head", "numpy_lstm", BENCHMARK)}
    assert not session.ok("numpy_lstm", BENCHMARK)
    assert session.ok("torch_cell", BENCHMARK)


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A function that measures a replicate of a session with made-up arms, and returns its rows by side and name."""
    monkeypatch.setattr(blocks, "SPACING_SECONDS", 0.0)
    monkeypatch.setattr(round_trip, "seconds", lambda _: 1e-7)
    answers = {key: Answering() for key in ((label, name) for label in ("run", "base", "head") for name in NAMES)}
    clock = SimpleNamespace(
        perf_counter=lambda: sum(arm.now for arm in answers.values()), time=lambda: 0.0, sleep=lambda _: None
    )
    monkeypatch.setattr(blocks, "time", clock)

    def measure(session, number=0, wanted=None, used=None, **failing):
        labels = [side.label for side in session.sides]
        session.arms = {key: arm for key, arm in answers.items() if key[0] in labels}
        for (_, name), arm in session.arms.items():
            arm.alive = True
            arm.name = name
            if used:
                arm.answers[requests.UsedFiles] = used
            if name in failing:
                arm.answers[requests.TakeTurn] = failing[name]
        rows = session.replicate(number, 2, wanted, Stage.REPLICATE, 9)
        return {(row.side or "run", row.implementation): row for row in rows}

    return measure


def test_the_rows_of_a_replicate_have_its_number_its_inputs_and_their_turns(tmp_path, measured):
    """No file can know its inputs in advance: not even one that knows every random number of Python's own."""
    session, seeds = admitted(tmp_path, "run"), set()
    for number in range(3):
        random.seed(0)
        rows = measured(session, number)
        assert {row.replicate for row in rows.values()} == {number}
        assert {(row.status, row.seconds, len(row.turns)) for row in rows.values()} == {("ok", 1.0, 4)}
        (seed,) = {row.input_seed for row in rows.values()}
        seeds.add(seed)
        assert not session.arms, "its workers are ended"
    assert len(seeds) == 3
    assert len(session.records) == 6
    assert isinstance(session.rng, random.SystemRandom), "no file can know which turns are checked"


def test_a_replicate_is_opened_with_its_weights_and_inputs_compared_with_their_results_and_told(tmp_path, measured):
    session, told, weights = admitted(tmp_path, "run"), [], tmp_path / "w.npz"
    np.savez(weights, **make_weights(session.benchmarks[0].problem, seed=5))
    session.options = msgspec.structs.replace(session.options, seed=4, weights=str(weights))
    session.advance = lambda *how_far: told.append(how_far)
    arms = []
    session.close, close = lambda: arms.extend(session.arms.values()), session.close
    rows = measured(session, 2)
    close()
    assert not any(arm.alive for arm in arms)
    (seed,) = {row.input_seed for row in rows.values()}
    for arm in arms:
        assert arm.asked[0] == requests.Open(BENCHMARK, 4, str(weights), seed)
        (file,) = {request.expected for request in arm.asked if isinstance(request, requests.Compare)}
    want = agreement.expected(session.benchmarks[0].problem, "sequence", np.load(weights), seed, agreement.REPLICATE)
    np.testing.assert_equal(saved(file), want)
    assert (told[0], told[-1]) == ((Stage.REPLICATE, "3 of 9", 2, 9), (Stage.REPLICATE, "3 of 9", 3, 9))


@pytest.mark.parametrize(("labels", "seconds"), [(["run"], 0.001), (["base", "head"], None)])
def test_turns_on_a_gpu_begin_warm_and_calls_without_a_wait_are_timed_in_a_run(labels, seconds, tmp_path, measured):
    session = admitted(tmp_path, *labels)
    assert session.plan("numpy_lstm", session.benchmarks[0]).warm == 0
    assert {row.pipelined_seconds for row in measured(session).values()} == {None}
    session.options = msgspec.structs.replace(session.options, device="cuda")
    note = lambda turn, before, own: setattr(turn, "gpu_throttled", before)  # noqa: E731
    session.card = SimpleNamespace(throttled=lambda: 4, note=note)
    rows = measured(session).values()
    assert {(row.pipelined_seconds, row.turns[0].gpu_throttled) for row in rows} == {(seconds, 4)}
    session.seconds_seen.clear()
    assert session.plan("numpy_lstm", session.benchmarks[0]).warm == 3  # calls of 5 ms; the turn has one more


def test_every_admission_has_inputs_of_its_own(tmp_path):
    """What is expected is that of the inputs. The only file cannot be read, so that no worker is started."""
    found = set()
    for _ in range(2):
        random.seed(0)
        with session_of(tmp_path, Side("run", {}, {"mine": "it cannot be read"})) as session:
            session.admit()
        found.add((tmp_path / "expected-0.float64").read_bytes())
    assert len(found) == 2


def test_what_failed_in_a_replicate_has_its_reason_in_all_later_ones_and_is_not_tried_again(tmp_path, measured):
    session = admitted(tmp_path, "run")
    crash = ArmFailed("crashed", "exited with code 9")
    for number in (0, 1):
        rows = measured(session, number, torch_cell=crash)
        assert rows["run", "numpy_lstm"].status == "ok"
        failed = rows["run", "torch_cell"]
        assert (failed.status, failed.replicate, failed.seconds) == ("crashed", number, None)
        assert failed.reason == "exited with code 9 (in turn 1 of 4) (in replicate 1)"


def test_the_sides_of_each_implementation_take_turns_and_only_what_is_wanted_is_measured(tmp_path, measured):
    session = admitted(tmp_path, "base", "head")
    rows = measured(session)
    assert set(rows) == {(label, name) for label in ("base", "head") for name in NAMES}
    for row in rows.values():
        assert {turn.position for turn in row.turns} <= {0, 1, 2, 3}, "two sides, and no other implementation"
    rows = measured(session, 1, wanted={"numpy_lstm": session.benchmarks})
    assert set(rows) == {("base", "numpy_lstm"), ("head", "numpy_lstm")}


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("t4-b2-i8-h8/model/train_step", {"torch_cell": 7, "peak": 61}),
        ("t4-b2-i8-h8/stream/forward", {"torch_cell": 1001}),
    ],
)
def test_the_reference_makes_as_many_steps_as_a_turn_has_calls_but_not_for_the_peak(text, calls, tmp_path):
    """A model's step changes its parameters, so a turn of seven calls ends seven steps later. A stream has 1,000 calls.

    The peak's turns have far more calls, and nothing of it is compared: its steps took 11 s of a run.
    """
    side = Side("run", {name: Version(registry.resolve(name)) for name in calls})
    session = session_of(tmp_path, side, benchmarks=[text])
    for name, number in calls.items():
        session.admissions["run", name, text] = row_of(name, -1, text, seconds=0.015 / (number - 1))
        assert session.plan(name, session.benchmarks[0]).calls == number
    session.make_arms(list(calls))
    (job,), _ = session._jobs(dict.fromkeys(calls, session.benchmarks), 0)
    session._write_expected(job)
    done = {name.split("/")[1] for name in saved(session.expected_of(session.benchmarks[0]))}
    assert str(calls["torch_cell"]) in done
    assert "61" not in done


@pytest.mark.process
def test_the_files_of_a_run(measured_run, tmp_path):
    """Records readable by pandas alone; results.json by pytest-benchmark; provenance."""
    rows = pd.read_parquet(measured_run / "results.parquet")
    assert {"torch_lstm", "peak"} < set(rows["implementation"])
    ok = rows[rows["status"] == "ok"]
    assert (ok["seconds"] > 0).all()
    assert ok["peak_bytes"].notna().all()
    assert ok.groupby("replicate")["input_seed"].nunique().eq(1).all()
    for row in ok.itertuples():
        assert row.seconds == np.median([turn["seconds"] for turn in row.turns])
        assert [turn["block"] for turn in row.turns] == sorted(turn["block"] for turn in row.turns)
    described = json.loads((measured_run / "environment.json").read_text())
    assert described["versions"]["torch"]
    assert described["run"]["run_id"] == rows["run_id"].iloc[0]
    assert "torch_lstm" in (measured_run / "table.md").read_text()

    # its command reads tests/conftest.py, has not the checkout on its path, and may not have the tests' libraries
    (tmp_path / "hypothesis.py").write_text("raise ModuleNotFoundError('no hypothesis')")
    compared = subprocess.run(
        [Path(sys.executable).parent / "pytest-benchmark", "compare", str(measured_run / "results.json")],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment(PYTHONPATH=str(tmp_path)),
    )  # fmt: skip
    assert compared.returncode == 0, compared.stderr
    assert f"torch_lstm-{ok.iloc[0]['problem']}" in compared.stdout + compared.stderr


@pytest.mark.process
def test_a_run_with_jax_given_weights_and_float64(tmp_path, python):
    weights, out = tmp_path / "w.npz", tmp_path / "out"
    np.savez(weights, **make_weights(Problem.parse("t1-b1-i8-h8"), seed=9))
    done = python(
        "benchmarks", "bench", *impls("jax_scan"), "--problem", "t4-b2-i8-h8-float64", "--mode", "forward",
        "--weights", weights, "--no-floor", "--replicates", "1", "--blocks", "2", "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(out / "results.parquet")
    assert list(rows["status"]) == ["ok"]
    assert rows["error"][0] <= 1e-12
    assert " × " in rows["kernel"][0]  # JAX's profiler tells
    assert json.loads((out / "environment.json").read_text())["run"]["weights"] == str(weights)


def test_a_replicate_refuses_what_is_above_the_peak_and_notes_the_files_that_were_used(tmp_path, measured):
    session = admitted(tmp_path, "run")
    session.limits.rates["float32"] = 1.0  # operations in a second: the made-up calls of a second do thousands
    rows = measured(session)
    assert {row.status for row in rows.values()} == {"error"}
    assert session.failures, "it is not tried again"
    for used, status in ((Used({"helper.py": "hash"}, []), "ok"), (ArmFailed("error", "it uses helper.py"), "error")):
        session = admitted(tmp_path, "run")
        assert {row.status for row in measured(session, used=used).values()} == {status}
        assert session.files.hashes == ({"helper.py": "hash"} if status == "ok" else {})
