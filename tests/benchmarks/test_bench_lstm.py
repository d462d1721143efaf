"""The suite as pytest-benchmark runs it."""

import json

import pytest

BY_PYTEST = ("pytest", "benchmarks", "-k", "torch_lstm and not cell and b1-i128 and forward and not train",
             "-p", "no:cacheprovider")  # fmt: skip


@pytest.mark.process
def test_the_suite_runs_under_pytest_benchmark_alone(tmp_path, python):
    done = python(*BY_PYTEST, "--benchmark-json", tmp_path / "b.json", "--benchmark-max-time", "0.05")
    assert done.returncode == 0, done.stdout
    found = json.loads((tmp_path / "b.json").read_text())["benchmarks"]
    assert [each["name"] for each in found] == ["bench_lstm[t64-b1-i128-h128/sequence/forward-torch_lstm]"]
    assert found[0]["stats"]["rounds"] >= 5


@pytest.mark.nightly
def test_pytest_benchmark_computes_on_the_device_that_is_asked_for(python):
    done = python(*BY_PYTEST, "--device", "cuda", CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1, done.stdout
    assert "NoDevice: PyTorch sees no CUDA device" in done.stdout
