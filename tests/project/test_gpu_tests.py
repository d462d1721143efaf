"""The tests of tests/gpu, without a GPU: all pass once, and what they must find is found once."""

import dataclasses
import os

import junitparser
import pytest

from benchmarks.gpu_check import FILE
from impls.core import registry
from tests.gpu import faults, test_frameworks, test_suite
from tests.gpu.conftest import FEW, Setting
from tests.gpu.probe import FRAMEWORKS, REPEATED
from tests.helpers.processes import impls, python


def pytest_gpu(*arguments):
    words = ("-m", "pytest", "-p", "no:cacheprovider", "-m", "gpu", "tests/gpu", "--simulated", *arguments)
    return python(*words, timeout=900)


@pytest.fixture
def setting(tmp_path):
    """Of this machine's processors."""
    cores = tuple(sorted(os.sched_getaffinity(0))[-1:])
    implementations = [registry.resolve("torch_lstm")]
    return Setting("cpu", "cpu", implementations, cores, tmp_path, tmp_path, share=1.0, within=0.5, arguments=FEW)


@pytest.mark.alone
def test_all_pass_but_those_that_a_cpu_fails_and_reports_read_the_folder(tmp_path):
    out = tmp_path / "out"
    done = pytest_gpu(*impls("torch_lstm", "jax_scan"), "--out", out)
    assert done.returncode == 1, done.stdout + done.stderr
    (suite,) = junitparser.JUnitXml.fromfile(str(out / FILE))
    assert sorted(case.name for case in suite if case.result) == [
        f"{name}[{framework}]"
        for name in ("test_it_computes_in_float32", "test_the_suite_waits_for_its_work")
        for framework in sorted(FRAMEWORKS)
    ]
    reported = python("-m", "reports", "report", out)
    assert reported.returncode == 0, reported.stderr
    assert f"{suite.tests - 4} passed, 4 failed, 0 not reached; failed: " in (out / "table.md").read_text()


@pytest.mark.nightly
def test_without_time_nothing_is_reached_and_results_replace_nothing(tmp_path):
    late = pytest_gpu("--limit", "0.5", "-k", "tf32", "--out", tmp_path)
    assert late.returncode == 3, late.stdout + late.stderr
    assert "the time is up" in late.stdout
    full = pytest_gpu("--out", tmp_path)
    assert full.returncode == 4
    assert "is not an empty folder" in full.stderr


GOOD = {"name": "H100", "error": 1e-6, "drained": 0.09, "idle": 1e-5, "traced": (0.08, REPEATED, 0.1)}
CHECKS = {
    "card": test_frameworks.test_it_sees_the_card,
    "float32": test_frameworks.test_it_computes_in_float32,
    "waits": test_frameworks.test_the_suite_waits_for_its_work,
    "traced": test_frameworks.test_cupti_sees_its_work,
}


@pytest.mark.parametrize(
    ("check", "changes", "said"),
    [
        ("card", {"name": "cpu"}, "it sees cpu, the driver sees H100"),
        ("float32", {"error": 3e-4}, "not float32"),
        ("float32", {"error with TF32": 1e-6}, "the canary can't tell"),
        ("waits", {"drained": 0.01}, "10.00 ms with work"),
        ("waits", {"idle": 0.01}, "10.000 ms without"),
        ("traced", {"traced": (0.0, 0, 0.1)}, "0 kernels"),
        ("traced", {"traced": (0.08, REPEATED - 1, 0.1)}, "products were submitted"),
        ("traced", {"traced": (0.11, REPEATED, 0.1)}, "110 of 100 ms"),
    ],
)
def test_what_a_framework_says_of_a_gpu_passes_or_fails(setting, monkeypatch, check, changes, said):
    def answers(_, __, precision):
        known = {**GOOD, "error with TF32": 3e-4, **found}
        return known | ({"error": known["error with TF32"]} if precision == "tf32" else {}), ""

    monkeypatch.setattr(test_frameworks, "answers", answers)
    of_gpu = dataclasses.replace(setting, card="H100, 580.1")
    found = {}
    CHECKS[check]("torch", of_gpu, print)
    found = changes
    with pytest.raises(AssertionError, match=said):
        CHECKS[check]("torch", of_gpu, print)
    monkeypatch.setattr(test_frameworks, "answers", lambda *_: ({}, "RuntimeError: no kernel image"))
    with pytest.raises(pytest.fail.Exception, match="no kernel image"):
        CHECKS[check]("torch", of_gpu, print)


@pytest.fixture
def honest(monkeypatch):
    """Instead of each planted file one without a fault."""
    file = faults.FILE.replace("tests.gpu import faults", "impls import torch_cell")
    monkeypatch.setattr(faults, "FILE", file.replace("faults.{fault}", "torch_cell.prepare"))


@pytest.mark.nightly
def test_a_planted_file_that_gets_through_is_a_failure(setting, honest):
    with pytest.raises(AssertionError, match="it was not refused"):
        test_suite.test_a_planted_file_is_refused_for_the_right_reason("side_stream", "error", "", setting, print)


@pytest.mark.nightly
def test_a_worker_that_is_stopped_before_its_device_is_done_is_a_failure(setting, honest):
    """As one whose device has nothing to do: it answers too early."""
    with pytest.raises(AssertionError, match="stopped after 0"):
        test_suite.test_a_worker_is_stopped_only_when_its_device_is_done(setting, print)


@pytest.mark.nightly
def test_a_slower_copy_that_measures_as_equal_is_a_failure(setting, monkeypatch):
    monkeypatch.setattr(test_suite, "inject", lambda source, _: source)
    with pytest.raises(AssertionError, match=r"the slowed one .* % \(injected \+100 %\); the clock is not known"):
        test_suite.test_an_equal_copy_measures_as_equal_and_a_slower_one_as_that_much_slower(setting, print)
