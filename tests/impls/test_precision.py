"""Precision and device are set before a framework starts, for runs and for evaluate alike."""

import os
import sys

import pytest
from click.testing import CliRunner

from impls.__main__ import cli
from impls.core.precision import framework_variables


@pytest.mark.parametrize(("device", "platforms"), [("cpu", "cpu"), ("cuda", "cuda,cpu")])
@pytest.mark.parametrize(("dtype", "x64"), [("float32", "0"), ("float64", "1")])
def test_full_precision_on_either_device(device, platforms, dtype, x64):
    variables = framework_variables(device, dtype)
    assert variables["NVIDIA_TF32_OVERRIDE"] == "0"
    assert variables["JAX_DEFAULT_MATMUL_PRECISION"] == "highest"
    assert variables["JAX_ENABLE_X64"] == x64
    assert variables["JAX_PLATFORMS"] == platforms


def test_evaluate_sets_them_for_the_process_that_computes(monkeypatch, tmp_path):
    started = []

    monkeypatch.setattr(os, "execve", lambda python, command, env: started.append((command, env)))
    arguments = ["evaluate", "torch_lstm", "--case", "c.npz", "--out", str(tmp_path / "o.npz"), "--device", "cuda"]
    CliRunner().invoke(cli, arguments, standalone_mode=False)
    ((command, env),) = started
    assert command[0] == sys.executable
    assert framework_variables("cuda", "float32").items() <= env.items()
