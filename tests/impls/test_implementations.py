"""Every implementation against the reference, and against judges that nobody here wrote."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.cases import Benchmark
from benchmarks.worker import agreement
from impls.core import contract, reference, registry
from impls.core.evaluate import evaluate_case
from impls.core.problem import Problem
from impls.core.weights import Case, layers, make_inputs, make_weights
from tests.helpers.judges import JUDGES, PAIRS, given, judged
from tests.helpers.processes import ROOT

COMPILED = ("torch_cell_compiled", "torch_lstm_compiled", "torch_scan")
"""Tested on one problem each: to compile takes seconds."""
NAMES = [
    implementation.name
    for implementation in registry.catalogue().values()
    if implementation.is_lstm
    and "cpu" in implementation.devices
    and not implementation.requires
    and implementation.name not in COMPILED
]
"""What runs in this environment. An implementation with REQUIRES has one of its own, in which `agree` checks it."""


def hardest(name, text):
    """The problem, without different lengths where the implementation has none."""
    problem = Problem.parse(text)
    return problem.replace(lengths=problem.lengths and registry.resolve(name).lengths)


@pytest.mark.process
@pytest.mark.parametrize("name", NAMES)
def test_the_sequence_agrees_with_the_reference(name):
    """A hard problem in every mode; `nox -s agree` has many problems, each dtype in its own process."""
    check(name, hardest(name, "t6-b4-i5-h7-l2-bi-var"), "sequence")


@pytest.mark.process
@pytest.mark.parametrize("name", [name for name in NAMES if "model" in registry.resolve(name).workloads])
def test_the_model_agrees_after_one_step_and_three(name):
    check(name, hardest(name, "t4-b3-i5-h7-l2-var"), "model", ("forward", "train_step"))


@pytest.mark.process
@pytest.mark.parametrize("name", [name for name in NAMES if "bfloat16" in registry.resolve(name).dtypes])
def test_half_precision_agrees(name):
    check(name, Problem.parse("t5-b4-i8-h8-l2-bfloat16"), "sequence", ("train_step",))


def test_what_has_no_lengths_says_so():
    without = registry.resolve("jax_scan_vjp")
    assert (
        without.lacks("cpu", "float32", "sequence", lengths=True)
        == "no lengths: all rows of a batch are as long as seq_len"
    )
    assert without.lacks("cpu", "float32", "sequence") is None


@pytest.mark.process
@pytest.mark.parametrize("name", ["torch_cell", "jax_scan_vjp"])
def test_the_cell_agrees(name):
    check(name, Problem.parse("t4-b3-i5-h7-l2"), "cell")


@pytest.mark.process
def test_the_compiled_cell_agrees(monkeypatch):
    """Two chunks and a rest. The compiler unrolls a chunk, so that short chunks compile in less time."""
    from impls import torch_cell_compiled

    monkeypatch.setattr(torch_cell_compiled, "CHUNK", 2)
    check("torch_cell_compiled", Problem.parse("t5-b3-i5-h7"), "sequence")


@pytest.mark.process
@pytest.mark.parametrize("name", ["torch_lstm_compiled", "torch_scan"])
def test_what_torch_compiles_agrees(name):
    check(name, Problem.parse("t5-b3-i5-h7"), "sequence")


@pytest.mark.process
def test_the_sharded_scan_agrees_where_every_processor_has_rows():
    from impls.jax_scan_vjp_sharded import PROCESSORS

    check("jax_scan_vjp_sharded", Problem.parse(f"t4-b{4 * PROCESSORS}-i5-h7-l2"), "sequence")


def test_a_batch_is_shared_out_evenly_or_not_at_all():
    from impls.jax_scan_vjp_sharded import shards

    assert [shards(batch, 2) for batch in (1, 3, 4, 8, 9, 16)] == [1, 1, 1, 2, 1, 2]
    assert [shards(batch, 8) for batch in (1, 6, 16, 20, 64)] == [1, 1, 4, 5, 8]
    assert shards(64, 1) == 1


STARTED = """
import jax
jax.devices()
from impls.core import registry, weights
from impls.core.problem import Problem
problem = Problem.parse("t4-b8-i5-h7")
module = registry.load(registry.resolve("jax_scan_vjp_sharded"))
module.prepare(problem, weights.make_weights(problem), "cpu", "sequence")
"""


@pytest.mark.process
def test_the_sharded_scan_says_so_where_it_could_not_be_sharded(monkeypatch):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one processor")
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES", raising=False)
    done = subprocess.run([sys.executable, "-c", STARTED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Unsupported: JAX started in this process without JAX_NUM_CPU_DEVICES=" in done.stderr


@pytest.mark.process
@pytest.mark.parametrize("text", ["t2-b1-i3-h4-l2-bi", "t2-b1-i3-h4-l2-nobias"])
def test_cudnns_weights_are_packed_as_jax_unpacks_them(text):
    from jax.experimental import rnn

    from impls.jax_cudnn import packed

    problem = Problem.parse(text)
    weights = {name: value.astype("float32") for name, value in make_weights(problem).items()}
    sizes = problem.input_size, problem.hidden_size, problem.num_layers, problem.bidirectional
    flat = packed(problem, weights)
    assert flat.size == rnn.get_num_params_in_lstm(*sizes)
    unpacked = rnn.unpack_lstm_weights(flat, *sizes)
    suffixes = [suffix for _, suffix, _ in layers(problem)]
    for kind, arrays in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), unpacked, strict=True):
        for k, suffix in enumerate(suffixes):
            want = weights.get(f"{kind}_{suffix}", np.zeros(4 * problem.hidden_size, "float32"))
            assert np.array_equal(arrays[k], want)


def test_without_a_gpu_jax_cudnn_is_unsupported():
    assert "only for device cuda, not cpu" in registry.resolve("jax_cudnn").lacks("cpu", "float32", "sequence")


def check(name, problem, workload, modes=contract.MODES):
    timed = Benchmark(problem, workload, "forward").timed_problem
    weights = make_weights(timed, workload)
    want = agreement.expected(timed, workload, weights)
    prepared = registry.load(registry.resolve(name)).prepare(timed, weights, "cpu", workload)
    for mode in modes:
        assert agreement.check(prepared, timed, workload, mode, want).error <= agreement.TOLERANCES[problem.dtype]


@pytest.mark.parametrize(
    ("judge", "text"), [pytest.param(*pair, marks=[pytest.mark.process] * (pair[0] == "jax")) for pair in PAIRS]
)
def test_the_reference_agrees_with_outside_judges(judge, text):
    problem, weights, inputs, want = judged(judge, text)
    agreement.compare(reference.run_sequence(problem, weights, inputs), want, "float64", judge)


@pytest.mark.process
@pytest.mark.parametrize("name", NAMES)
def test_every_implementation_agrees_with_an_outside_judge(name):
    """Of another framework, in float64 and without a bias.

    Rows are all shorter than seq_len: no problem is so, and a user's case may be.
    """
    implementation = registry.resolve(name)
    judge, kind = ("jax", "l2-nobias") if implementation.framework == "torch" else ("torch", "l2-bi-nobias")
    problem, weights, inputs = given(f"t5-b3-i3-h4-{kind}")
    if implementation.lengths:
        problem, inputs = problem.replace(lengths=True), dataclasses.replace(inputs, lengths=np.array([3, 1, 4]))
    names = frozenset({*weights, *inputs.arrays()} - {"target"})
    got = evaluate_case(implementation, Case(problem, weights, inputs, names))
    agreement.compare(got, JUDGES[judge][0](problem, weights, inputs), "float64", f"{judge} of {name}")


def test_a_judge_finds_a_wrong_reference():
    problem, weights, inputs, want = judged("onnx", "t5-b2-i3-h4")
    wrong = {**weights, "weight_hh_l0": np.roll(weights["weight_hh_l0"], 4, axis=0)}
    with pytest.raises(agreement.Disagrees):
        agreement.compare(reference.run_sequence(problem, wrong, inputs), want, "float64")


@pytest.mark.parametrize("workload", ["sequence", "model"])
def test_a_torch_module_infers_in_evaluation_mode_without_gradients_and_trains_in_training_mode(workload):
    from torch import nn

    from impls.families.torch import FlatLSTM, prepare_module

    seen = []

    class Watched(nn.Module):
        def __init__(self, problem):
            super().__init__()
            self.lstm = FlatLSTM(problem)

        def forward(self, *arguments):
            seen.append((self.training, arguments[0].requires_grad))
            return self.lstm(*arguments)

    problem = Problem.parse("t3-b2-i3-h4")
    weights = make_weights(problem, workload)
    prepared = prepare_module(problem, weights, "cpu", workload, Watched, names=lambda name: f"lstm.{name}")
    state = prepared.load(make_inputs(problem))
    for mode in ("forward", "forward_train", "forward", "train_step"):
        prepared.call(mode)(state)
    inferred, trained = (False, False), (True, workload == "sequence")
    assert seen == [inferred, trained, inferred, trained]
