"""The suite as pytest-benchmark runs it; tests/reports/test_frames.py reads what it writes."""

import pytest

BY_PYTEST = ("pytest", "benchmarks", "-k", "torch_lstm and not cell and b1-i128 and forward and not train",
             "-p", "no:cacheprovider")  # fmt: skip


@pytest.mark.nightly
def test_pytest_benchmark_computes_on_the_device_that_is_asked_for(python):
    done = python(*BY_PYTEST, "--device", "cuda", CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1, done.stdout
    assert "NoDevice: PyTorch sees no CUDA device" in done.stdout
