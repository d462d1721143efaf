"""Precision and device are set before a framework starts, for runs and for evaluate alike."""

import re

import jax
import numpy as np
import pytest
import torch

from benchmarks.agree import controls
from benchmarks.judge import agreement
from benchmarks.options import Options
from benchmarks.runner.sides import Version, worker_variables
from impls.core import registry
from impls.core.precision import OVERRIDE, PRECISIONS, VARIABLE, framework_variables
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights
from impls.families.torch import set_precision
from tests.gpu import faults


def test_full_precision_on_either_device(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for device, platforms in (("cpu", "cpu"), ("cuda", "cuda,cpu")):
        for dtype, x64 in (("float32", "0"), ("float64", "1")):
            variables = framework_variables(device, dtype)
            assert variables[OVERRIDE] == "0"
            assert jax.lax.Precision(variables["JAX_DEFAULT_MATMUL_PRECISION"]) is jax.lax.Precision.HIGHEST
            assert variables["JAX_ENABLE_X64"] == x64
            assert variables["JAX_PLATFORMS"] == platforms
            assert variables.get("CUDA_VISIBLE_DEVICES") == ("" if device == "cpu" else "0")


@pytest.mark.parametrize(("given", "used"), [("2,0", "2"), ("GPU-12ab", "GPU-12ab"), ("", "")])
def test_a_worker_sees_one_gpu_the_first_that_is_visible(given, used, monkeypatch):
    """By the number that nvidia-smi shows. JAX would begin on all of them."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    variables = framework_variables("cuda", "float32")
    assert (variables["CUDA_VISIBLE_DEVICES"], variables["CUDA_DEVICE_ORDER"]) == (used, "PCI_BUS_ID")


def products(name, monkeypatch):
    """The products of a step of training, as JAX lowers them for CUDA. That needs no GPU, and computes nothing."""
    texts, jit, problem = [], jax.jit, Problem.parse("t3-b2-i5-h4")
    module = registry.load(registry.resolve(name))

    def lowered(function):
        def call(*arguments):
            traced = jit(function).trace(*arguments)
            texts.append(traced.lower(lowering_platforms=("cuda",)).as_text())
            return traced.out_info

        return call

    with monkeypatch.context() as changed:
        changed.setattr(jax, "jit", lowered)
        prepared = module.prepare(problem, make_weights(problem, "model"), "cpu", "model")
        prepared.train_step(prepared.load(make_inputs(problem)))
    return re.findall(r"stablehlo\.dot_general[^\n]*", "".join(texts))


@pytest.mark.parametrize("name", ["jax_scan", "jax_scan_hoisted", "jax_scan_vjp", "flax_linen", "flax_nnx"])
@pytest.mark.parametrize(("precision", "lowered"), [("ieee", "HIGHEST"), ("tf32", "DEFAULT")])
def test_jax_asks_for_the_precision_of_every_product_on_a_gpu(name, precision, lowered, monkeypatch):
    """XLA's Triton kernels take TF32 where both operands have DEFAULT, and cuBLAS takes it with HIGH too."""
    variables = framework_variables("cuda", "float32", precision)
    with jax.default_matmul_precision(variables["JAX_DEFAULT_MATMUL_PRECISION"]):
        found = products(name, monkeypatch)
    assert len(found) > 5
    assert all(f"precision = [{lowered}, {lowered}] :" in line for line in found)


def test_pytorch_takes_the_precision_it_is_told_on_a_gpu_and_it_is_read_back(monkeypatch):
    """By PyTorch's own settings, which need no GPU. torch.compile reads the older one."""
    backends, older = torch.backends, torch.get_float32_matmul_precision
    for precision, older_word in (("tf32", "high"), ("ieee", "highest")):
        set_precision(precision)
        told = backends.cuda.matmul.fp32_precision, backends.cudnn.rnn.fp32_precision, older()
        assert told == (precision, precision, older_word)
    monkeypatch.setattr(type(backends.cudnn.rnn), "fp32_precision", property(lambda _: "none", lambda *_: None))
    with pytest.raises(RuntimeError, match=r"cudnn\.rnn\.fp32_precision stays none"):
        set_precision("ieee")


def test_tf32_is_forbidden_by_nothing_that_a_worker_gets(tmp_path, monkeypatch):
    unwanted = {OVERRIDE, "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "CUDA_LAUNCH_BLOCKING"}  # the last makes each launch wait
    for name in unwanted:
        monkeypatch.setenv(name, "0")
    version = Version(registry.resolve("torch_lstm"))
    both = [Options(device="cuda", precision=precision) for precision in PRECISIONS]
    ieee, tf32 = (worker_variables(version, options, 1, "float32", tmp_path) for options in both)
    assert ieee[OVERRIDE] == "0"
    assert not unwanted & tf32.keys()
    assert not (unwanted - {OVERRIDE}) & ieee.keys()
    assert (ieee[VARIABLE], tf32[VARIABLE]) == ("ieee", "tf32")


def test_rounded_products_agree_only_where_tf32_is_asked_for(monkeypatch):
    problem = Problem.parse("t8-b4-i128-h128")
    weights = make_weights(problem, "sequence")
    want = agreement.expected(problem, "sequence", weights)
    prepared = faults.tf32(problem, weights, "cpu", "sequence")
    monkeypatch.setenv(VARIABLE, "ieee")
    with pytest.raises(agreement.Disagrees):
        agreement.check(prepared, problem, "sequence", "train_step", want)
    monkeypatch.setenv(VARIABLE, "tf32")
    error = agreement.check(prepared, problem, "sequence", "train_step", want).error
    assert 1e-4 < error < agreement.TOLERANCES["tf32"] / 2
    assert agreement.tolerance_of("float64") < 1e4 * np.finfo("float64").eps  # TF32 is about float32


def test_with_tf32_every_negative_control_is_refused(monkeypatch):
    monkeypatch.setenv(VARIABLE, "tf32")
    refusals = controls.refusals("float32")
    assert all(refusals.values()), refusals
    assert "tolerance 8e-03" in refusals["just_above"]
    assert "TF32" in registry.resolve("torch_lstm").lacks("cuda", Problem(2, 2, 2, 2), "train")
