"""The tests of tests/gpu, without a GPU: all pass once, and what they must find is found once."""

import contextlib
import os

import junitparser
import pytest

from benchmarks.gpu_check import FILE
from impls.core import registry
from tests.gpu import faults, test_frameworks, test_suite
from tests.gpu.conftest import FEW, Setting
from tests.gpu.probe import FRAMEWORKS
from tests.helpers.processes import impls, python


def pytest_gpu(*arguments, **env):
    words = ("-m", "pytest", "-p", "no:cacheprovider", "-m", "gpu", "tests/gpu", "--simulated", *arguments)
    return python(*words, timeout=900, **env)


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
    assert python("-m", "reports", "report", out).returncode == 0


@pytest.mark.nightly
def test_without_time_a_test_fails_and_results_replace_nothing(tmp_path):
    late = pytest_gpu("--limit", "0.5", "-k", "tf32", "--out", tmp_path)
    assert late.returncode == 1, late.stdout + late.stderr
    assert "--limit" in late.stdout
    full = pytest_gpu("--out", tmp_path)
    assert full.returncode == 4
    assert "is not an empty folder" in full.stderr


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
def test_a_cupti_that_is_there_and_does_not_work_is_a_failure(tmp_path):
    (tmp_path / "cupti").mkdir()
    (tmp_path / "cupti" / "cupti.py").write_text("raise RuntimeError('no libcupti')")
    done = pytest_gpu("-k", "cupti and torch", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "RuntimeError: no libcupti" in done.stdout


@pytest.mark.parametrize(("microseconds", "accused"), [(1, False), (10, True)])
def test_a_wait_after_which_honest_calls_would_be_refused_is_a_failure(microseconds, accused, setting, monkeypatch):
    """Of calls of 100 µs, after which the driver has so much to do."""
    waits = {"1": [[1e-6 * microseconds, 1e-4]] * 10}
    monkeypatch.setattr(test_frameworks, "asked", lambda *_: [waits])
    with pytest.raises(AssertionError, match="in 10 of 10") if accused else contextlib.nullcontext():
        test_frameworks.test_a_call_that_waited_is_not_accused("jax", setting, print)
