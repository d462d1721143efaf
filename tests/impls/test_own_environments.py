"""Every implementation with an environment of its own, against judges that nobody here wrote. It builds them all.

python -m pytest -m nightly tests/impls/test_own_environments.py
"""

import re
import subprocess

import numpy as np
import pytest

from benchmarks.worker import agreement
from impls.core import environments, registry
from tests.helpers.judges import PAIRS, given, judged
from tests.helpers.processes import ROOT, environment, python

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800)]

CHOSEN = [implementation for implementation in registry.catalogue().values() if implementation.requires]
INFERS_ONLY = {"onnxruntime_lstm", "openvino_lstm"}
UNSUPPORTED = [
    ("torchrl_lstm", {"bi"}, "it has no two directions"),
    ("paddle_lstm", {"nobias"}, "without a bias, Paddle"),
    ("paddle_lstm", {"bi", "var"}, "gradients of the reverse direction are wrong"),
    ("keras_torch", {"var"}, "float64 in float32"),
]
"""What cannot be done: the implementation, the parts of the problem's name, and what it then says."""
OUTPUTS = ("d_output", "d_h_n", "d_c_n")


@pytest.fixture(scope="module")
def verdicts():
    return {(judge, text): judged(judge, text)[-1] for judge, text in PAIRS}


@pytest.mark.parametrize(("judge", "text"), PAIRS)
@pytest.mark.parametrize("implementation", CHOSEN, ids=lambda implementation: implementation.name)
def test_it_agrees_with_outside_judges(implementation, judge, text, verdicts, tmp_path):
    """In float64 where it has that, otherwise in float32; inference only where it has no gradients."""
    dtype = "float64" if "float64" in implementation.dtypes else "float32"
    problem, weights, inputs = given(text)
    if reason := implementation.lacks("cpu", dtype, "sequence", problem.lengths):
        pytest.skip(reason)
    arrays = {**weights, **inputs.arrays()}
    del arrays["target"]
    np.savez(tmp_path / "case.npz", **arrays)
    want = verdicts[judge, text]
    command = ["-m", "impls", "evaluate", implementation.name, "--case", tmp_path / "case.npz", "--dtype", dtype]
    done = python(*command, "--out", tmp_path / "out.npz", timeout=1500)
    assert ("no train_step" in done.stderr) == (implementation.name in INFERS_ONLY), done.stderr
    if implementation.name in INFERS_ONLY:
        np.savez(tmp_path / "case.npz", **{name: array for name, array in arrays.items() if name not in OUTPUTS})
        want = {name: array for name, array in want.items() if not name.startswith("grad_")}
        done = python(*command, "--out", tmp_path / "out.npz", timeout=1500)
    for name, parts, reason in UNSUPPORTED:
        if name == implementation.name and parts <= set(text.split("-")) and reason in done.stderr:
            pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as got:
        agreement.compare(dict(got), want, dtype, f"{judge} of {implementation.name}")


KERNEL = """
import functools, sys
import keras
from benchmarks.worker import kernels
from impls.core import registry
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights
if sys.argv[1] == "off":
    keras.layers.LSTM = functools.partial(keras.layers.LSTM, use_cudnn=False)
problem = Problem.parse("t40-b64-i1024-h1024")  # so large that the products take most, on a busy machine too
prepared = registry.load(registry.resolve("keras_torch")).prepare(problem, make_weights(problem), "cpu", "sequence")
state = prepared.start("forward", make_inputs(problem))
prepared.forward(state)
print(kernels.name(prepared, "forward", state))
"""


def test_the_kernel_shows_whether_keras_takes_its_fused_path():
    """On PyTorch and a CPU, use_cudnn chooses between two loops; one projects the inputs of all steps at once."""
    implementation = registry.resolve("keras_torch")
    names, times = {}, {}
    for fused in ("auto", "off"):
        done = subprocess.run(
            [environments.python_for(implementation), "-c", KERNEL, fused],
            cwd=ROOT,
            env=environment(**implementation.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        names[fused], times[fused] = done.stdout.split(" ×")[0], int(done.stdout.split("×")[1].split()[0])
    assert names == {"auto": "aten::mm", "off": "aten::mm"}
    assert times["auto"] == 41 < 80 <= times["off"]


@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        ("onnxruntime_lstm", "LSTM × 1"),
        ("openvino_lstm", "LSTM.* × 1"),
        ("keras_tensorflow", r"\w*MatMul × 8\d"),
        ("mlx_lstm", r"\w+ × 4\d"),
        ("paddle_lstm", r"rnn.* × 1"),
    ],
)
def test_other_frameworks_tell_their_kernel(name, kernel):
    """Keras on TensorFlow and a CPU has no fused path: two products a step."""
    implementation = registry.resolve(name)
    code = KERNEL.replace("import keras\n", "").replace("keras_torch", name)
    command = [environments.python_for(implementation), "-c", code, "auto"]
    variables = environment(**implementation.environment)
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.match(kernel, done.stdout), done.stdout
