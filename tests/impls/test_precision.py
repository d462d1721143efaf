"""Precision and device are set before a framework starts, for runs and for evaluate alike."""

import os
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from impls.__main__ import cli
from impls.core.precision import framework_variables
from tests.helpers.processes import ROOT


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


LOWERED = """
import sys
import jax

real, texts = jax.jit, []

class Recorded:
    def __init__(self, function, **options):
        self.jitted = real(function, **options)

    def __call__(self, *arguments):
        texts.append(self.jitted.trace(*arguments).lower(lowering_platforms=("cuda",)).as_text())
        return self.jitted(*arguments)

jax.jit = Recorded
from impls.core import registry
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights

problem = Problem.parse("t3-b2-i5-h4")
for workload in ("sequence", "model"):
    prepared = registry.load(registry.resolve(sys.argv[1])).prepare(
        problem, make_weights(problem, workload), "cpu", workload
    )
    state = prepared.load(make_inputs(problem))
    for mode in ("forward", "forward_train", "backward", "train_step"):
        prepared.call(mode)(state)
print("\\n".join(texts))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jax_scan", "jax_scan_hoisted", "jax_scan_vjp", "flax_linen", "flax_nnx"])
def test_every_product_that_jax_would_do_on_a_gpu_is_without_tf32(name):
    """JAX lowers for CUDA without a GPU. The control is JAX's own default, which allows TF32."""

    def products(**variables):
        done = subprocess.run(
            [sys.executable, "-c", LOWERED, name],
            cwd=ROOT,
            env={**os.environ, **framework_variables("cpu", "float32"), **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return re.findall(r"stablehlo\.dot_general[^\n]*", done.stdout)

    found = products()
    assert len(found) > 10
    assert [line for line in found if "precision = [HIGHEST, HIGHEST]" not in line] == []
    control = products(JAX_DEFAULT_MATMUL_PRECISION="default")
    assert any("precision = [HIGHEST, HIGHEST]" not in line for line in control)


def test_pytorch_takes_no_tf32_on_a_gpu_and_what_it_was_told_is_read_back(monkeypatch):
    from types import SimpleNamespace

    import torch

    from impls.families.torch import full_precision

    class Deaf:
        fp32_precision = property(lambda self: "tf32", lambda self, value: None)

    def backends(rnn):
        matmul = SimpleNamespace(fp32_precision="none")
        return SimpleNamespace(cuda=SimpleNamespace(matmul=matmul), cudnn=SimpleNamespace(rnn=rnn))

    told = backends(SimpleNamespace(fp32_precision="tf32"))
    monkeypatch.setattr(torch, "backends", told)
    full_precision()
    assert (told.cuda.matmul.fp32_precision, told.cudnn.rnn.fp32_precision) == ("ieee", "ieee")
    monkeypatch.setattr(torch, "backends", backends(Deaf()))
    with pytest.raises(RuntimeError, match=r"cudnn\.rnn\.fp32_precision stays tf32"):
        full_precision()
    old = SimpleNamespace(cuda=SimpleNamespace(matmul=SimpleNamespace()), cudnn=SimpleNamespace(allow_tf32=True))
    monkeypatch.setattr(torch, "backends", old)
    full_precision()
    assert (old.cuda.matmul.allow_tf32, old.cudnn.allow_tf32) == (False, False)
