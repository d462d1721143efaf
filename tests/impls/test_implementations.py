"""Every implementation against the reference, and against judges that nobody here wrote."""

import functools
import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.cases import Benchmark
from benchmarks.correctness import agreement
from impls.core import contract, reference, registry
from impls.core.evaluate import evaluate_case
from impls.core.problem import Problem
from impls.core.weights import Case, make_inputs, make_weights
from tests.helpers.processes import ROOT

COMPILED = "torch_cell_compiled"
"""Tested once: to compile takes seconds for every problem."""
NAMES = [
    implementation.name
    for implementation in registry.catalogue().values()
    if implementation.is_lstm and not implementation.requires and implementation.name != COMPILED
]
"""What runs in this environment. An implementation with REQUIRES has one of its own, in which `agree` checks it."""
PROBLEMS = ["t1-b1-i1-h1-float64", "t5-b4-i8-h8", "t9-b3-i5-h7-l2-bi-float64", "t9-b3-i5-h7-nobias"]


@pytest.mark.slow
@pytest.mark.parametrize("text", PROBLEMS)
@pytest.mark.parametrize("name", NAMES)
def test_the_sequence_agrees_with_the_reference(name, text):
    """The sequence in every mode; `nox -s agree` does this on more problems, each dtype in its own process."""
    check(name, Problem.parse(text), "sequence")


@pytest.mark.slow
@pytest.mark.parametrize("text", ["t4-b3-i5-h7-l2", "t4-b3-i5-h7-nobias"])
@pytest.mark.parametrize("name", NAMES)
def test_the_model_agrees_after_one_step_and_three(name, text):
    check(name, Problem.parse(text), "model")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torch_cell", "torch_lstm", "jax_scan_vjp", "jax_scan_vjp_sharded"])
def test_the_cell_agrees(name):
    check(name, Problem.parse("t9-b3-i5-h7-l2"), "cell")


@pytest.mark.slow
def test_the_compiled_cell_agrees(monkeypatch):
    """Two chunks and a rest. The compiler unrolls a chunk, so that short chunks compile in less time."""
    from impls import torch_cell_compiled

    monkeypatch.setattr(torch_cell_compiled, "CHUNK", 2)
    check(COMPILED, Problem.parse("t5-b3-i5-h7"), "sequence")


@pytest.mark.slow
@pytest.mark.parametrize("workload", ["sequence", "model"])
def test_the_sharded_scan_agrees_where_every_processor_has_rows(workload):
    from impls.jax_scan_vjp_sharded import PROCESSORS

    check("jax_scan_vjp_sharded", Problem.parse(f"t9-b{4 * PROCESSORS}-i5-h7-l2-bi"), workload)


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


@pytest.mark.slow
def test_the_sharded_scan_says_so_where_it_could_not_be_sharded(monkeypatch):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one processor")
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES", raising=False)
    done = subprocess.run([sys.executable, "-c", STARTED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Unsupported: JAX started in this process without JAX_NUM_CPU_DEVICES=" in done.stderr


def check(name, problem, workload):
    timed = Benchmark(problem, workload, "forward").timed_problem
    weights = make_weights(timed, workload)
    want = agreement.expected(timed, workload, weights)
    prepared = registry.load(registry.resolve(name)).prepare(timed, weights, "cpu", workload)
    for mode in contract.MODES:
        assert agreement.check(prepared, timed, workload, mode, want).error <= agreement.TOLERANCES[problem.dtype]


def torch_judge(problem, weights, inputs):
    import torch

    lstm = torch.nn.LSTM(
        problem.input_size,
        problem.hidden_size,
        problem.num_layers,
        bias=problem.bias,
        bidirectional=problem.bidirectional,
    ).double()
    lstm.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    leaves = {name: torch.tensor(getattr(inputs, name), requires_grad=True) for name in ("x", "h0", "c0")}
    output, (h_n, c_n) = lstm(leaves["x"], (leaves["h0"], leaves["c0"]))
    cotangents = [torch.tensor(getattr(inputs, name)) for name in ("d_output", "d_h_n", "d_c_n")]
    torch.autograd.backward([output, h_n, c_n], cotangents)
    results = {"output": output, "h_n": h_n, "c_n": c_n}
    results |= {f"grad_{name}": parameter.grad for name, parameter in lstm.named_parameters()}
    results |= {f"grad_{name}": leaf.grad for name, leaf in leaves.items()}
    return {name: value.detach().numpy() for name, value in results.items()}


def jax_judge(problem, weights, inputs):
    """jax.experimental.rnn.lstm_ref, gradients and all; it is batch-major and wants every bias."""
    import jax
    import jax.numpy as jnp
    from jax.experimental.rnn import lstm_ref

    count = problem.num_layers
    zeros = jnp.zeros(4 * problem.hidden_size)
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

    def run(params, x, h0, c0):
        by_layer = [{k: params.get(f"{kind}_l{k}", zeros) for k in range(count)} for kind in kinds]
        lengths = jnp.full(problem.batch, problem.seq_len, dtype="int32")
        output, h_n, c_n = lstm_ref(
            x.transpose(1, 0, 2), h0, c0, *by_layer, lengths,
            problem.input_size, problem.hidden_size, count, 0.0, False,
        )  # fmt: skip
        return output.transpose(1, 0, 2), h_n, c_n

    args = (
        {name: jnp.asarray(value) for name, value in weights.items()},
        *map(jnp.asarray, (inputs.x, inputs.h0, inputs.c0)),
    )
    outputs, pullback = jax.vjp(run, *args)
    grads, *rest = pullback(tuple(map(jnp.asarray, (inputs.d_output, inputs.d_h_n, inputs.d_c_n))))
    results = dict(zip(("output", "h_n", "c_n"), outputs, strict=True))
    results |= {f"grad_{name}": value for name, value in grads.items()}
    results |= dict(zip(("grad_x", "grad_h0", "grad_c0"), rest, strict=True))
    return {name: np.asarray(value) for name, value in results.items()}


def onnx_judge(problem, weights, inputs):
    """ONNX's reference LSTM, forward and without c_n: gates in order i, o, f, c; computed in float64."""
    import onnx
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    def reorder(array):
        i, f, g, o = np.split(array, 4)
        return np.concatenate([i, o, f, g])

    names = ("X", "W", "R", "B", "", "initial_h", "initial_c")
    node = helper.make_node("LSTM", list(names), ["Y", "Y_h"], hidden_size=problem.hidden_size)
    double = onnx.TensorProto.DOUBLE
    values = [helper.make_tensor_value_info(name, double, None) for name in names if name]
    outputs = [helper.make_tensor_value_info(name, double, None) for name in ("Y", "Y_h")]
    model = helper.make_model(
        helper.make_graph([node], "lstm", values, outputs), opset_imports=[helper.make_opsetid("", 14)]
    )
    zeros = np.zeros(4 * problem.hidden_size)
    biases = [reorder(weights.get(f"{kind}_l0", zeros)) for kind in ("bias_ih", "bias_hh")]
    fed = {
        "X": inputs.x,
        "W": reorder(weights["weight_ih_l0"])[None],
        "R": reorder(weights["weight_hh_l0"])[None],
        "B": np.concatenate(biases)[None],
        "initial_h": inputs.h0,
        "initial_c": inputs.c0,
    }
    found = ReferenceEvaluator(model).run(None, {name: np.array(value) for name, value in fed.items()})
    return {"output": found[0][:, 0], "h_n": found[1]}


JUDGES = {
    "torch": (torch_judge, ["t1-b1-i1-h1", "t5-b2-i3-h4", "t5-b2-i3-h4-l2-bi", "t5-b2-i3-h4-nobias"]),
    "jax": (jax_judge, ["t1-b1-i1-h1", "t5-b2-i3-h4", "t5-b2-i3-h4-l2", "t5-b2-i3-h4-nobias"]),
    "onnx": (onnx_judge, ["t1-b1-i1-h1", "t5-b2-i3-h4", "t5-b2-i3-h4-nobias"]),
}
PAIRS = [(judge, text) for judge, (_, texts) in JUDGES.items() for text in texts]


@pytest.fixture(scope="module")
def verdicts():
    return {(judge, text): judged(judge, text) for judge, text in PAIRS}


def given(text):
    problem = Problem.parse(text).replace(dtype="float64")
    return problem, make_weights(problem, seed=5), make_inputs(problem, seed=6)


def judged(judge, text):
    return *given(text), JUDGES[judge][0](*given(text))


@functools.cache
def evaluated(name, text):
    """Once for all judges."""
    problem, weights, inputs = given(text)
    names = frozenset({*weights, *vars(inputs)} - {"target"})
    return evaluate_case(registry.resolve(name), Case(problem, weights, inputs, names))


@pytest.mark.parametrize(("judge", "text"), PAIRS)
def test_the_reference_agrees_with_outside_judges(judge, text, verdicts):
    problem, weights, inputs, want = verdicts[judge, text]
    agreement.compare(reference.run_sequence(problem, weights, inputs), want, "float64", judge)


@pytest.mark.slow
@pytest.mark.parametrize(("judge", "text"), PAIRS)
@pytest.mark.parametrize("name", NAMES)
def test_every_implementation_agrees_with_outside_judges(name, judge, text, verdicts):
    want = verdicts[judge, text][-1]
    agreement.compare(evaluated(name, text), want, "float64", f"{judge} of {name}")


def test_a_judge_finds_a_wrong_reference(verdicts):
    problem, weights, inputs, want = verdicts["onnx", "t5-b2-i3-h4"]
    wrong = {**weights, "weight_hh_l0": np.roll(weights["weight_hh_l0"], 4, axis=0)}
    with pytest.raises(agreement.Disagrees):
        agreement.compare(reference.run_sequence(problem, wrong, inputs), want, "float64")


@pytest.mark.parametrize("workload", ["sequence", "model"])
def test_a_torch_module_infers_in_evaluation_mode_and_trains_in_training_mode(workload):
    from torch import nn

    from impls import torch_lstm
    from impls.families.torch import prepare_module

    seen = []

    class Watched(nn.Module):
        def __init__(self, problem):
            super().__init__()
            self.lstm = torch_lstm.build(problem)

        def forward(self, *arguments):
            seen.append(self.training)
            return self.lstm(*arguments)

    problem = Problem.parse("t3-b2-i3-h4")
    weights = make_weights(problem, workload)
    names = {name: f"lstm.{name}" for name in weights}
    prepared = prepare_module(problem, weights, "cpu", workload, Watched, names)
    state = prepared.load(make_inputs(problem))
    for mode in ("forward", "forward_train", "forward", "train_step"):
        prepared.call(mode)(state)
    assert seen == [False, True, False, True]
