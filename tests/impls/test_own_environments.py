"""Every implementation with an environment of its own, against a judge that nobody here wrote. It builds them all.

python -m pytest -m nightly tests/impls/test_own_environments.py
"""

import re
import shutil
import subprocess

import numpy as np
import pytest

from benchmarks.judge import agreement
from impls.core import environments, registry
from tests.helpers.judges import given, torch_judge
from tests.helpers.processes import ROOT, environment, python

pytestmark = pytest.mark.nightly

CHOSEN = [implementation for implementation in registry.catalogue().values() if implementation.requires]
INFERS_ONLY = {
    "onnxruntime_lstm",
    "openvino_lstm",
    "torch_lstm_onnx",
    "torch_lstm_onnx_traced",
    "torch_lstm_openvino",
}
LESS = {"torchrl_lstm": "l2", "paddle_lstm": "l2-bi", "keras_torch": "l2-bi-nobias"}
"""What some can do at most: two layers, two directions, no bias, lengths."""


@pytest.mark.parametrize("implementation", CHOSEN, ids=lambda implementation: implementation.name)
def test_it_agrees_with_an_outside_judge_on_the_hardest_problem_that_it_can_do(implementation, tmp_path):
    """In float64 where it has that, otherwise in float32; inference only where it has no gradients."""
    if implementation.name == "tinygrad_lstm" and shutil.which("clang") is None:
        pytest.skip("there is no clang, which compiles tinygrad's kernels")
    dtype = "float64" if "float64" in implementation.dtypes else "float32"
    kind = LESS.get(implementation.name, "l2-bi-nobias")
    problem, weights, inputs = given(f"t5-b3-i3-h4-{kind}")
    arrays, want = {**weights, **inputs.arrays()}, torch_judge(problem, weights, inputs)
    del arrays["target"]
    if implementation.name in INFERS_ONLY:
        arrays = {name: array for name, array in arrays.items() if not name.startswith("d_")}
        want = {name: array for name, array in want.items() if not name.startswith("grad_")}
    case, out = tmp_path / "case.npz", tmp_path / "out.npz"
    np.savez(case, **arrays)
    done = python(
        *("-m", "impls", "evaluate", implementation.name, "--case", case, "--dtype", dtype, "--out", out), timeout=1500
    )
    assert done.returncode == 0, done.stderr
    with np.load(out) as got:
        agreement.compare(dict(got), want, dtype, implementation.name)


KERNEL = """
import sys
from benchmarks.worker import profiles
from impls.core import registry
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights
problem = Problem.parse("t40-b64-i1024-h1024")  # so large that the products take most, on a busy machine too
prepared = registry.load(registry.resolve(sys.argv[1])).prepare(problem, make_weights(problem), "cpu", "sequence")
state = prepared.start("forward", make_inputs(problem))
prepared.forward(state)
print(profiles.name(prepared, "forward", state))
"""


@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        ("keras_torch", "aten::mm × 41"),
        ("onnxruntime_lstm", "LSTM × 1"),
        ("openvino_lstm", "LSTM.* × 1"),
        ("keras_tensorflow", r"\w*MatMul × 8\d"),
        ("mlx_lstm", r"\w+ × 4\d"),
        ("paddle_lstm", r"rnn.* × 1"),
    ],
)
def test_the_kernel_shows_what_a_framework_runs(name, kernel):
    """Keras on PyTorch projects the inputs of all steps at once; on TensorFlow it does two products a step."""
    implementation = registry.resolve(name)
    command = [environments.python_for(implementation), "-c", KERNEL, name]
    variables = environment(**implementation.environment)
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert re.match(kernel, done.stdout), done.stdout + done.stderr
