"""The tests of tests/gpu, without a GPU: each passes once, and fails once. What starts workers is nightly."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import junitparser
import pytest

from benchmarks.gpu_check import FILE
from impls.core import registry
from tests.gpu import faults, test_frameworks, test_suite
from tests.gpu.conftest import FEW
from tests.gpu.probe import FRAMEWORKS, REPEATED
from tests.gpu.setting import Setting
from tests.helpers.processes import impls, python

NAMES = ("torch_lstm", "jax_scan")


def pytest_gpu(*arguments):
    words = ("-m", "pytest", "-p", "no:cacheprovider", "-m", "gpu", "tests/gpu", "--simulated", *arguments)
    return python(*words, timeout=900)


@pytest.fixture
def setting(tmp_path):
    """Of this machine's processors."""
    cores = tuple(sorted(os.sched_getaffinity(0))[-1:])
    implementations = [registry.resolve(name) for name in NAMES]
    return Setting("cpu", "cpu", implementations, cores, tmp_path, tmp_path, share=1.0, within=0.5, arguments=FEW)


@pytest.mark.alone
def test_all_pass_but_those_that_a_cpu_fails_and_reports_read_the_folder(tmp_path):
    out = tmp_path / "out"
    done = pytest_gpu(*impls(*NAMES), "--out", out)
    assert done.returncode == 1, done.stdout + done.stderr
    (suite,) = junitparser.JUnitXml.fromfile(str(out / FILE))
    assert sorted(case.name for case in suite if case.result) == [
        f"{name}[{framework}]"
        for name in ("test_it_computes_in_float32", "test_the_suite_waits_for_its_work")
        for framework in sorted(FRAMEWORKS)
    ]
    assert len(list(out.rglob("*"))) <= 8
    reported = python("-m", "reports", "report", out)
    assert reported.returncode == 0, reported.stderr
    said = f"{suite.tests - 4} passed, 4 failed, 0 not reached; failed: "
    assert said in (out / "table.md").read_text()
    assert said in (out / "index.html").read_text()


@pytest.mark.nightly
def test_without_a_card_or_without_time_nothing_is_reached_and_results_replace_nothing(tmp_path):
    late = pytest_gpu("--limit", "0.5", "-k", "tf32", "--out", tmp_path / "late")
    assert late.returncode == 3, late.stdout + late.stderr
    assert "the time is up" in late.stdout
    full = pytest_gpu("--out", tmp_path / "late")
    assert full.returncode == 4
    assert "is not an empty folder" in full.stderr
    if Path("/dev/nvidia0").exists():
        pytest.skip("there is a card")
    done = python("-m", "benchmarks", "gpu_check", *impls("torch_lstm"), "--out", tmp_path / "out")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "the driver sees no card" in done.stdout


# each test once failing


@pytest.mark.nightly
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_cpu_is_not_the_drivers_card_and_fails_what_only_a_gpu_can(setting, framework):
    other = dataclasses.replace(setting, card="NVIDIA H100, 580.1")
    with pytest.raises(AssertionError, match=r"it sees cpu, the driver sees NVIDIA H100, 580\.1"):
        test_frameworks.test_it_sees_the_card(framework, other, print)
    with pytest.raises(AssertionError, match="the canary can't tell"):
        test_frameworks.test_it_computes_in_float32(framework, setting, print)
    with pytest.raises(AssertionError, match=r"the wait lasted 0\.00 ms with work"):
        test_frameworks.test_the_suite_waits_for_its_work(framework, setting, print)
    if Path("/dev/nvidia0").exists():
        pytest.skip("there is a card")
    with pytest.raises(pytest.fail.Exception, match=r"no CUDA device|sees no CUDA"):
        test_frameworks.test_it_sees_the_card(framework, dataclasses.replace(setting, device="cuda"), print)


def answering(monkeypatch, last="", **ieee):
    """Have each framework give these answers; with TF32, a product is off by 3e-4."""

    def answers(_, __, precision):
        rounded = {"error": 3e-4} if ieee and precision == "tf32" else {}
        return {"precision": precision, **ieee, **rounded}, last

    monkeypatch.setattr(test_frameworks, "answers", answers)


def test_what_a_framework_says_of_a_gpu_passes_or_fails(setting, monkeypatch):
    good = {"error": 1e-6, "drained": 0.09, "idle": 1e-5, "traced": (0.08, REPEATED, 0.1)}
    answering(monkeypatch, **good)
    checks = (
        test_frameworks.test_it_computes_in_float32,
        test_frameworks.test_the_suite_waits_for_its_work,
        test_frameworks.test_cupti_sees_its_work,
    )
    for check in checks:
        check("torch", setting, print)
    for check, bad, said in (
        (checks[0], {"error": 3e-4}, "off by 3.0e-04: not float32"),
        (checks[1], {"drained": 0.01}, "10.00 ms with work"),
        (checks[1], {"idle": 0.01}, "10.000 ms without"),
        (checks[2], {"traced": (0.0, 0, 0.1)}, "0 kernels"),
        (checks[2], {"traced": (0.08, REPEATED - 1, 0.1)}, "products were submitted"),
        (checks[2], {"traced": (0.11, REPEATED, 0.1)}, "110 of 100 ms"),
    ):
        answering(monkeypatch, **{**good, **bad})
        with pytest.raises(AssertionError, match=said):
            check("torch", setting, print)
    answering(monkeypatch, "RuntimeError: no kernel image")
    for check in checks:
        with pytest.raises(pytest.fail.Exception, match="no kernel image"):
            check("torch", setting, print)
    with pytest.raises(pytest.skip.Exception, match="no_such_framework is not installed"):
        checks[0]("no_such_framework", setting, print)


WRONG = """
from impls import torch_lstm

FRAMEWORK = "torch"
TRACK = "default"
WORKLOADS = ("sequence",)

def prepare(problem, weights, device, workload):
    wrong = {name: 1.1 * value for name, value in weights.items()}
    return torch_lstm.prepare(problem, wrong, device, workload)
"""


@pytest.mark.nightly
def test_a_wrong_implementation_is_a_failure(setting, tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text(WRONG)
    wrong = dataclasses.replace(setting, implementations=[registry.resolve("torch_lstm"), registry.read(path)])
    with pytest.raises(AssertionError, match="disagrees"):
        test_suite.test_all_implementations_agree_with_the_reference(wrong, print)
    with pytest.raises(AssertionError, match="wrong, t64-b16-i128-h128/sequence/forward: disagrees, "):
        test_suite.test_all_arms_are_timed(wrong, print)


HONEST = faults.FILE.replace("tests.gpu import faults", "impls import torch_cell").replace(
    "faults.{fault}", "torch_cell.prepare"
)


@pytest.mark.nightly
@pytest.mark.parametrize("fault", ["no_wait", "side_stream", "tf32", "out_of_memory"])
def test_a_planted_file_that_gets_through_is_a_failure(setting, monkeypatch, fault):
    monkeypatch.setattr(faults, "FILE", HONEST)
    with pytest.raises(AssertionError, match="it was not refused"):
        test_suite.test_a_planted_file_is_refused_for_the_right_reason(fault, "error", "", setting, print)


@pytest.mark.nightly
def test_a_refusal_for_another_reason_or_a_lost_row_is_a_failure(setting, monkeypatch):
    monkeypatch.setattr(faults, "FILE", HONEST.replace("return", "raise RuntimeError('CUDA error: no')  # "))
    with pytest.raises(AssertionError, match="refused for another reason: error, RuntimeError: CUDA error: no"):
        test_suite.test_a_planted_file_is_refused_for_the_right_reason("tf32", "disagrees", "", setting, print)
    with pytest.raises(AssertionError, match="its other row was lost: error"):
        test_suite.test_an_illegal_access_costs_its_own_row_only(setting, print)


@pytest.mark.nightly
def test_a_worker_that_is_stopped_before_its_device_is_done_is_a_failure(setting, monkeypatch):
    """As one whose device has nothing to do: it answers too early."""
    monkeypatch.setattr(faults, "FILE", HONEST)
    with pytest.raises(AssertionError, match="stopped after 0"):
        test_suite.test_a_worker_is_stopped_only_when_its_device_is_done(setting, print)


@pytest.mark.nightly
def test_a_slower_copy_that_measures_as_equal_is_a_failure(setting, monkeypatch):
    monkeypatch.setattr(test_suite, "inject", lambda source, _: source)
    with pytest.raises(AssertionError, match=r"the slowed one .* % \(injected \+100 %\); the clock is not known"):
        test_suite.test_an_equal_copy_measures_as_equal_and_a_slower_one_as_that_much_slower(setting, print)
