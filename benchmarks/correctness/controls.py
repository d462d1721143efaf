"""Negative controls: LSTMs that are wrong on purpose. A check that accepts any of them is no check.

Each is the reference with an injected fault. It must be refused with the tolerance of every dtype. In half precision,
whose tolerance is large, a weight must be off by far more to be found: by 0.4 in float16 and by 3 in bfloat16. The
faults in EXTREME are found on extreme numbers only, and must be refused in float64.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from unittest.mock import patch

import numpy as np

from benchmarks.worker import agreement, extremes
from impls.core import reference
from impls.core.contract import Prepared
from impls.core.formats import FORMATS
from impls.core.problem import Problem
from impls.core.reference import Results, sigmoid
from impls.core.weights import Array, Inputs, Weights, make_weights

PROBLEM = Problem.parse("t5-b4-i8-h8")
"""I = H, so that a transposed matrix still fits."""

PROBLEM_OF_LENGTHS = Problem.parse("t5-b4-i8-h8-bi-var")
PROBLEM_OF_LAYERS = Problem.parse("t5-b4-i8-h8-l2-bi")

SEED = 11
"""Of the weights and inputs of extreme controls."""

Fault = Callable[[Problem, Weights, Inputs], Results]


def _with(weights: Weights, name: str, value: Array) -> Weights:
    return {**weights, name: value}


def _swap_gates(array: Array) -> Array:
    i, f, g, o = np.split(array, 4)
    return np.concatenate([f, i, g, o])


def gates_swapped(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """Rows in order f, i, g, o, consistently in weights and gradients."""
    results = reference.run_sequence(problem, {name: _swap_gates(value) for name, value in weights.items()}, inputs)
    return {n: _swap_gates(v) if n.removeprefix("grad_") in weights else v for n, v in results.items()}


def bias_dropped(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """bias_hh left out."""
    return reference.run_sequence(problem, _with(weights, "bias_hh_l0", 0 * weights["bias_hh_l0"]), inputs)


def cell_gate_fed_c(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """The cell gate g computed from c instead of h, as in futhark-ad's benchmark."""
    results = reference.run_sequence(problem, weights, inputs)
    h, c, hidden = inputs.h0[0], inputs.c0[0], problem.hidden_size
    bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
    outputs = []
    for x in inputs.x:
        fed = x @ weights["weight_ih_l0"].T + bias
        z = fed + h @ weights["weight_hh_l0"].T
        z[:, 2 * hidden : 3 * hidden] = (fed + c @ weights["weight_hh_l0"].T)[:, 2 * hidden : 3 * hidden]
        i, f, g, o = np.split(z, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return {**results, "output": np.stack(outputs), "h_n": h[None], "c_n": c[None]}


def gradient_detached(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """No gradient through the last hidden state, as after a stray detach()."""
    results = reference.run_sequence(problem, weights, inputs)
    detached = Inputs(**{**inputs.arrays(), "d_h_n": 0 * inputs.d_h_n})
    wrong = reference.run_sequence(problem, weights, detached)
    return {name: wrong[name] if name.startswith("grad_") else value for name, value in results.items()}


def matrix_transposed(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """Each gate's block of weight_hh transposed."""
    turned = np.concatenate([block.T for block in np.split(weights["weight_hh_l0"], 4)])
    return reference.run_sequence(problem, _with(weights, "weight_hh_l0", turned), inputs)


def weight_off(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """A single weight off by 1e-3; where the tolerance is larger, by 50 times the tolerance."""
    moved = weights["weight_ih_l0"].copy()
    moved[3, 2] += max(1e-3, 50 * agreement.tolerance_of(problem.dtype))
    return reference.run_sequence(problem, _with(weights, "weight_ih_l0", moved), inputs)


def just_above(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """The output in one element off by 1.1 times the tolerance."""
    results = reference.run_sequence(problem, weights, inputs)
    output = results["output"].copy()
    output[1, 2, 3] += 1.1 * agreement.tolerance_of(problem.dtype) * np.abs(output).max()
    return {**results, "output": output}


def one_nan(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """A single NaN in each result."""
    results = {name: value.copy() for name, value in reference.run_sequence(problem, weights, inputs).items()}
    for value in results.values():
        value.flat[-1] = np.nan
    return results


def axis_dropped(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """h_n, h0's and x's gradients without their first axis, as after a stray squeeze()."""
    results = reference.run_sequence(problem, weights, inputs)
    return {name: value[0] if name in ("h_n", "grad_h0", "grad_x") else value for name, value in results.items()}


def sigmoid_from_tanh(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """0.5 · (1 + tanh(z / 2)), which is 0, or has few digits, where a gate is shut."""

    def from_tanh(z: Array) -> Array:
        half: Array = 0.5 * (1 + np.tanh(0.5 * z.astype(problem.dtype)))
        return half.astype(np.float64)

    with patch.multiple(reference, sigmoid=from_tanh, sigmoid_slope=lambda z: from_tanh(z) * (1 - from_tanh(z))):
        return reference.run_sequence(problem, weights, inputs)


def exp_overflows(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """exp(z) / (1 + exp(z)), which is NaN for a large z."""

    def from_exp(z: Array) -> Array:
        large: Array = np.exp(z)
        large /= 1 + large
        return large

    with np.errstate(all="ignore"), patch.multiple(reference, sigmoid=from_exp):
        return reference.run_sequence(problem, weights, inputs)


def gates_clipped(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """Gates from pre-activations that are clipped to ±8, so that none shuts."""
    with patch.multiple(reference, sigmoid=lambda z: sigmoid(np.clip(z, -8, 8))):
        return reference.run_sequence(problem, weights, inputs)


def slope_never_zero(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """A sigmoid that reaches 1 only to a rounding error, so that a huge x still has a gradient."""
    slope = reference.sigmoid_slope
    with patch.multiple(reference, sigmoid_slope=lambda z: np.maximum(slope(z), 6e-8)):
        return reference.run_sequence(problem, weights, inputs)


def tiny_lost(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """Results below 1e-20 are zero, as after half precision."""
    results = reference.run_sequence(problem, weights, inputs)
    return {name: np.where(np.abs(value) < 1e-20, 0, value) for name, value in results.items()}


def denormal_doubled(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """Results below the smallest normal number are twice as large as they should be."""
    results = reference.run_sequence(problem, weights, inputs)
    smallest = FORMATS[problem.dtype].smallest
    return {name: np.where(np.abs(value) < smallest, 2 * value, value) for name, value in results.items()}


def lengths_ignored(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """Every row as long as seq_len."""
    return reference.run_sequence(problem, weights, dataclasses.replace(inputs, lengths=None))


def padding_in_output(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """The last output of a row repeated beyond its length, as Keras does."""
    results = reference.run_sequence(problem, weights, inputs)
    within = reference.inside_of(inputs.x, inputs.lengths)
    hidden = problem.hidden_size
    repeated = results["output"].copy()
    repeated[:, :, :hidden] = np.where(within, repeated[:, :, :hidden], results["h_n"][0])
    return {**results, "output": repeated}


def reversed_with_padding(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """The reverse direction starts at seq_len, and goes through the padding first."""
    whole = reference.run_sequence(problem, weights, dataclasses.replace(inputs, lengths=None))
    results = reference.run_sequence(problem, weights, inputs)
    within, hidden = reference.inside_of(inputs.x, inputs.lengths), problem.hidden_size
    backward = np.where(within, whole["output"][:, :, hidden:], 0.0)
    return {**results, "output": np.concatenate([results["output"][:, :, :hidden], backward], axis=2)}


def padding_in_gradient(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """The cotangent of the output beyond a row's length reaches the gradient of x there."""
    results = reference.run_sequence(problem, weights, inputs)
    within, width = reference.inside_of(inputs.x, inputs.lengths), inputs.x.shape[2]
    leaked = np.where(within, results["grad_x"], inputs.d_output[:, :, :width])
    return {**results, "grad_x": leaked}


def directions_swapped(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """The reverse direction comes first in the output."""
    results = reference.run_sequence(problem, weights, inputs)
    forward, backward = np.split(results["output"], 2, axis=2)
    return {**results, "output": np.concatenate([backward, forward], axis=2)}


def layers_swapped(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """The final states of the last layer come first."""
    results = reference.run_sequence(problem, weights, inputs)
    return {**results, "c_n": np.roll(results["c_n"], problem.directions, axis=0)}


def layer_not_fed_back(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """The first layer's weights get the gradient of another cotangent: as where layers are differentiated apart."""
    results = reference.run_sequence(problem, weights, inputs)
    half = reference.run_sequence(problem, weights, dataclasses.replace(inputs, d_output=0.5 * inputs.d_output))
    wrong = {name: value for name, value in half.items() if name.startswith("grad_") and "_l0" in name}
    return {**results, **wrong}


def _by_name(*faults: Fault) -> dict[str, Fault]:
    return {fault.__name__: fault for fault in faults}


CONTROLS = _by_name(
    gates_swapped,
    bias_dropped,
    cell_gate_fed_c,
    gradient_detached,
    matrix_transposed,
    weight_off,
    just_above,
    one_nan,
    axis_dropped,
)

LENGTHS = _by_name(lengths_ignored, padding_in_output, reversed_with_padding, padding_in_gradient)
"""What must be refused at PROBLEM_OF_LENGTHS."""
LAYERS = _by_name(directions_swapped, layers_swapped, layer_not_fed_back)
"""What must be refused at PROBLEM_OF_LAYERS."""

EXTREME = _by_name(
    sigmoid_from_tanh,
    exp_overflows,
    gates_clipped,
    slope_never_zero,
    tiny_lost,
    denormal_doubled,
)


def prepare(fault: Fault, problem: Problem, weights: Weights) -> Prepared:
    """Return the Prepared of a fault, which has the mode train_step only."""

    def run(inputs: Inputs) -> Results:
        return fault(problem, weights, inputs)

    return Prepared(load=lambda inputs: inputs, to_numpy=lambda _, result: result, train_step=run)


def _reason(check: Callable[[], object]) -> str | None:
    """Return the reason why a check refuses; None where it passes."""
    try:
        check()
    except agreement.Disagrees as error:
        return str(error)
    return None


def refusals(dtype: str) -> dict[str, str | None]:
    """Return the reason why agreement refuses each control, by the control's name; None where it passes."""
    reasons: dict[str, str | None] = {}
    for problem, faults in ((PROBLEM, CONTROLS), (PROBLEM_OF_LENGTHS, LENGTHS), (PROBLEM_OF_LAYERS, LAYERS)):
        in_dtype = problem.replace(dtype=dtype)
        weights = make_weights(in_dtype)
        want = agreement.expected(in_dtype, "sequence", weights)
        for name, fault in faults.items():
            prepared = prepare(fault, in_dtype, weights)
            reasons[name] = _reason(partial(agreement.check, prepared, in_dtype, "sequence", "train_step", want))
    return reasons


def extreme_refusals(dtype: str) -> dict[str, str | None]:
    """Return the same for the controls that extreme numbers must find."""
    weights, problem = extremes.weights_of(dtype, SEED), extremes.problem_in(dtype)
    want = extremes.expected(dtype, SEED, SEED)
    reasons: dict[str, str | None] = {}
    for name, fault in EXTREME.items():
        prepared = prepare(fault, problem, weights)
        of_each = {
            extreme: _reason(partial(extremes.check, prepared, extreme, dtype, ["train_step"], want, SEED))
            for extreme in extremes.EXTREMES
        }
        reasons[name] = next((f"{extreme}, {reason}" for extreme, reason in of_each.items() if reason), None)
    return reasons
