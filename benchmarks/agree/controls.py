"""Negative controls: LSTMs that are wrong on purpose. A check that accepts any of them is no check.

Each is the reference with an injected fault. It must be refused with the tolerance of every dtype. In half precision,
whose tolerance is large, a weight must be off by far more to be found: by 0.4 in float16 and by 3 in bfloat16. The
faults in EXTREME are found on extreme numbers only, and must be refused in float64.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.agree.case import Case, Fault
from benchmarks.judge import agreement, extremes
from impls.core import adam, reference
from impls.core.constants import DEFAULT_DTYPES
from impls.core.contract import Prepared
from impls.core.precision import IEEE, current
from impls.core.problem import FORMATS, Problem
from impls.core.reference import Results, sigmoid, sigmoid_slope
from impls.core.weights import Array, Inputs, Weights, make_weights

PROBLEM = Problem.parse("t5-b4-i8-h8")
"""I = H, so that a transposed matrix still fits."""

PROBLEM_OF_MEMORY = Problem.parse("t64-b2-i8-h64")

SEED = 11
"""Of the weights and inputs of extreme controls."""


def _off(array: Array, index: tuple[int, ...], by: float) -> Array:
    moved = array.copy()
    moved[index] += by
    return moved


def _swap_gates(array: Array) -> Array:
    i, f, g, o = np.split(array, 4)
    return np.concatenate([f, i, g, o])


def gates_swapped(case: Case) -> Results:
    """Rows in order f, i, g, o, consistently in weights and gradients."""
    results = case.run({name: _swap_gates(value) for name, value in case.weights.items()})
    return {
        n: _swap_gates(v) if n.removeprefix("grad_") in case.weights else v
        for n, v in results.items()
    }


def matrix_transposed(case: Case) -> Results:
    """Each gate's block of weight_hh transposed."""
    turned = np.concatenate([block.T for block in np.split(case.weights["weight_hh_l0"], 4)])
    return case.run({"weight_hh_l0": turned})


def axis_dropped(case: Case) -> Results:
    """h_n, h0's and x's gradients without their first axis, as after a stray squeeze()."""
    dropped = ("h_n", "grad_h0", "grad_x")
    return {name: value[0] if name in dropped else value for name, value in case.run().items()}


def sigmoid_from_tanh(case: Case) -> Results:
    """0.5 · (1 + tanh(z / 2)), which is 0, or has few digits, where a gate is shut."""

    def from_tanh(z: Array) -> Array:
        half: Array = 0.5 * (1 + np.tanh(0.5 * z.astype(case.problem.dtype)))
        return half.astype(np.float64)

    return case.patched(
        sigmoid=from_tanh, sigmoid_slope=lambda z: from_tanh(z) * (1 - from_tanh(z))
    )


def padding_in_output(case: Case) -> Results:
    """The last output of a row repeated beyond its length, as Keras does."""
    results, hidden = case.run(), case.problem.hidden_size
    repeated = results["output"].copy()
    repeated[:, :, :hidden] = np.where(case.inside, repeated[:, :, :hidden], results["h_n"][0])
    return {**results, "output": repeated}


def reversed_with_padding(case: Case) -> Results:
    """The reverse direction starts at seq_len, and goes through the padding first."""
    whole, hidden = case.run(lengths=None)["output"], case.problem.hidden_size
    backward = np.where(case.inside, whole[:, :, hidden:], 0.0)
    return case.changed(
        "output", lambda output: np.concatenate([output[:, :, :hidden], backward], axis=2)
    )


def last_half(case: Case) -> Results:
    """The final states of the last half of the sequence alone."""
    alone = case.alone(len(case.inputs.x) // 2)
    return case.run() | {name: alone[name] for name in ("h_n", "c_n")}


def windows(case: Case) -> Results:
    """The last half of the output from a window of its own, which begins 24 steps before it."""
    half = len(case.inputs.x) // 2
    own = case.alone(half - 24)["output"][24:]
    return case.changed("output", lambda output: np.concatenate([output[:half], own]))


def first_half(case: Case) -> Results:
    """The gradients of the initial states from the cotangents of the first half alone."""
    d_output = case.inputs.d_output.copy()
    d_output[len(d_output) // 2 :] = 0.0
    none = np.zeros_like(case.inputs.d_h_n)
    alone = case.run(d_output=d_output, d_h_n=none, d_c_n=none)
    return case.run() | {name: alone[name] for name in ("grad_h0", "grad_c0")}


def dropped_anyway(case: Case) -> Results:
    """Something is dropped in inference too."""
    kept = np.arange(case.problem.hidden_size) % 2 / (1 - case.inputs.dropout)
    return case.run(
        {"weight_ih_l1": case.weights["weight_ih_l1"] * kept} if case.inputs.dropout else {}
    )


def _decaying(
    problem: Problem, weights: Weights, inputs: Inputs, right: Any = reference.run_model
) -> Results:
    """The model's results with 1e-3 of each weight added to its gradient."""
    results: Results = right(problem, weights, inputs)
    return results | {
        f"grad_{name}": results[f"grad_{name}"] + 1e-3 * weights[name] for name in weights
    }


FAULTS: dict[Problem, dict[str, Fault]] = {
    PROBLEM: {
        "gates_swapped": gates_swapped,
        # bias_hh left out
        "bias_dropped": lambda case: case.run({"bias_hh_l0": 0 * case.weights["bias_hh_l0"]}),
        # no gradient through the last hidden state, as after a stray detach()
        "gradient_detached": lambda case: case.gradients_of(case.run(d_h_n=0 * case.inputs.d_h_n)),
        "matrix_transposed": matrix_transposed,
        # a single weight off by 1e-3; where the tolerance is larger, by 50 times the tolerance
        "weight_off": lambda case: case.run(
            {
                "weight_ih_l0": _off(
                    case.weights["weight_ih_l0"], (3, 2), max(1e-3, 50 * case.tolerance)
                )
            }
        ),
        # the output in one element off by 1.1 times the tolerance
        "just_above": lambda case: case.changed(
            "output",
            lambda output: _off(output, (1, 2, 3), 1.1 * case.tolerance * np.abs(output).max()),
        ),
        # a single NaN in each result
        "one_nan": lambda case: {
            name: _off(value, (-1,) * value.ndim, np.nan) for name, value in case.run().items()
        },
        "axis_dropped": axis_dropped,
    },
    Problem.parse("t5-b4-i8-h8-bi-var"): {
        # every row as long as seq_len
        "lengths_ignored": lambda case: case.run(lengths=None),
        "padding_in_output": padding_in_output,
        "reversed_with_padding": reversed_with_padding,
        # the cotangent of the output beyond a row's length reaches the gradient of x there
        "padding_in_gradient": lambda case: case.changed(
            "grad_x",
            lambda grad: np.where(case.inside, grad, case.inputs.d_output[:, :, : grad.shape[2]]),
        ),
    },
    Problem.parse("t5-b4-i8-h8-l2-bi"): {
        # the reverse direction comes first in the output
        "directions_swapped": lambda case: case.changed(
            "output", lambda output: np.roll(output, case.problem.hidden_size, axis=2)
        ),
        # the final states of the last layer come first
        "layers_swapped": lambda case: case.changed(
            "c_n", lambda c_n: np.roll(c_n, case.problem.directions, axis=0)
        ),
        # no gradient of the output reaches the weights of the first layer: as where layers are differentiated apart
        "layer_not_fed_back": lambda case: case.gradients_of(
            case.run(d_output=0 * case.inputs.d_output), "_l0"
        ),
    },
    # would pass in float32 if no unit remembered
    PROBLEM_OF_MEMORY: {"last_half": last_half, "windows": windows, "first_half": first_half},
    # the first numbers of h in place of its projection
    Problem.parse("t5-b4-i8-h8-p4"): {
        "not_projected": lambda case: case.run(
            {"weight_hr_l0": np.eye(*case.weights["weight_hr_l0"].shape)}
        )
    },
    # the output is time-major still; T = B, so that swapped axes fit
    Problem.parse("t4-b4-i8-h8-first"): {
        "output_not_swapped": lambda case: case.changed(
            "output", lambda output: output.swapaxes(0, 1)
        )
    },
    Problem.parse("t5-b4-i8-h8-l2-drop"): {
        "dropped_in_inference": dropped_anyway,
        "nothing_dropped": Case.run,
    },
    Problem.parse("t6-b3-i8-h8-resets"): {
        "reset_ignored": lambda case: case.run(resets=None),
        "reset_late": lambda case: case.run(resets=np.roll(case.resets, 1, axis=0)),
        # where a row starts anew, all do: as where a sequence is split for all at once
        "reset_of_all_rows": lambda case: case.run(
            resets=case.resets | case.resets.any(axis=1, keepdims=True)
        ),
        # gradients go through a reset
        "reset_not_in_backward": lambda case: case.gradients_of(case.run(resets=None)),
    },
}
"""What must be refused at each problem."""
STREAM: dict[str, Callable[[int, Inputs, Inputs], Inputs]] = {
    "state_not_kept": lambda _, __, first: first,
    "state_reset": lambda calls, kept, first: kept if calls % 1000 else first,
    "only_c_kept": lambda _, kept, first: dataclasses.replace(kept, h0=first.h0),
}
"""What must be refused of a stream: a call's inputs by the number of calls before it, those kept, and the first."""
INFERENCE = ("dropped_in_inference",)
"""Those that are wrong in `forward`. The others are checked in `train_step`; in int8, which infers only, all are."""
TRAINING = (
    "gradient_detached", "padding_in_gradient", "layer_not_fed_back", "first_half", "nothing_dropped",
    "reset_not_in_backward",
)  # fmt: skip
"""Those that are right in `forward`."""

ADAM: dict[str, tuple[Any, dict[str, Any]]] = {
    "not_clipped": (adam, {"clipped": dict}),
    # each tensor by its own norm
    "clipped_apart": (
        adam,
        {"clipped": lambda grads: {k: v / max(1, np.linalg.norm(v)) for k, v in grads.items()}},
    ),
    "beta1_off": (adam, {"BETAS": (0.8, 0.999)}),
    "beta2_off": (adam, {"BETAS": (0.9, 0.99)}),
    "bias_not_corrected": (adam, {"correction": lambda *_: 1.0}),
    "epsilon_in_root": (adam, {"root_of": lambda v: np.sqrt(v + 1e-8)}),
    # plain SGD, whose steps are about as long as Adam's
    "sgd": (adam, {"BETAS": (0.0, 0.999), "root_of": lambda v: np.full_like(v, np.sqrt(v.mean()))}),
    "weights_decay": (reference, {"run_model": _decaying}),
}
"""What must be refused at PROBLEM in `train`: a module, and what it has in place of its own."""

EXTREME: dict[str, Fault] = {
    "sigmoid_from_tanh": sigmoid_from_tanh,
    # exp(z) / (1 + exp(z)), which is NaN for a large z
    "exp_overflows": lambda case: case.patched(sigmoid=lambda z: np.exp(z) / (1 + np.exp(z))),
    # gates from pre-activations that are clipped to ±8, so that none shuts
    "gates_clipped": lambda case: case.patched(sigmoid=lambda z: sigmoid(np.clip(z, -8, 8))),
    # a sigmoid that reaches 1 only to a rounding error, so that a huge x still has a gradient
    "slope_never_zero": lambda case: case.patched(
        sigmoid_slope=lambda z: np.maximum(sigmoid_slope(z), 6e-8)
    ),
    # results below 1e-20 are zero, as after half precision
    "tiny_lost": lambda case: case.scaled_below(1e-20, by=0),
    # results below the smallest normal number are twice as large as they should be
    "denormal_doubled": lambda case: case.scaled_below(FORMATS[case.problem.dtype].smallest, by=2),
}


def prepare(fault: Fault, problem: Problem, weights: Weights) -> Prepared:
    """Return the Prepared of a fault, which has the modes forward and train_step only."""
    load = functools.partial(Case, problem, weights)
    return Prepared(load=load, to_numpy=lambda _, result: result, forward=fault, train_step=fault)


def prepare_stream(
    fault: Callable[[int, Inputs, Inputs], Inputs], problem: Problem, weights: Weights
) -> Prepared:
    """Return the Prepared of a fault of STREAM."""
    right = reference.prepare(problem, weights, "cpu", "stream")
    step = right.call("forward")

    def forward(state: dict[str, Any]) -> Any:
        calls, first = state.get("before", (0, state["inputs"]))
        state |= {"inputs": fault(calls, state["inputs"], first), "before": (calls + 1, first)}
        return step(state)

    return dataclasses.replace(right, forward=forward)


def _reason(check: Callable[..., object], *arguments: object) -> str | None:
    """Return the reason why a check refuses; None where it passes."""
    try:
        check(*arguments)
    except agreement.Disagrees as error:
        return str(error)
    return None


def refusals(dtype: str) -> dict[str, str | None]:
    """Return the reason why agreement refuses each control, by the control's name; None where it passes."""
    reasons = dict[str, str | None]()
    for problem, faults in FAULTS.items():
        in_dtype = problem.replace(dtype=dtype)
        weights = make_weights(in_dtype)
        want = agreement.expected(in_dtype, "sequence", weights)
        for name, fault in faults.items():
            mode = "forward" if dtype == "int8" or name in INFERENCE else "train_step"
            if mode == "forward" and name in TRAINING:
                continue
            prepared = prepare(fault, in_dtype, weights)
            reasons[name] = _reason(agreement.check, prepared, in_dtype, "sequence", mode, want)
    in_dtype = PROBLEM_OF_MEMORY.replace(dtype=dtype)
    weights = make_weights(in_dtype)
    want = agreement.expected(in_dtype, "stream", weights)
    for name, kept in STREAM.items():
        prepared = prepare_stream(kept, in_dtype, weights)
        reasons[name] = _reason(agreement.check, prepared, in_dtype, "stream", "forward", want)
    if dtype in DEFAULT_DTYPES and current() == IEEE:  # in TF32 no training loop is compared
        problem = PROBLEM.replace(dtype=dtype)
        weights = make_weights(problem, "train")
        want = agreement.expected(problem, "train", weights)
        for name, (module, changes) in ADAM.items():
            prepared = reference.prepare(problem, weights, "cpu", "train")
            with patch.multiple(module, **changes):
                reasons[name] = _reason(
                    agreement.check, prepared, problem, "train", "train_step", want
                )
    return reasons


def extreme_refusals(dtype: str) -> dict[str, str | None]:
    """Return the same for the controls that extreme numbers must find."""
    weights, problem = extremes.weights_of(dtype, SEED), extremes.PROBLEM.replace(dtype=dtype)
    want = extremes.expected(dtype, SEED, SEED)
    reasons: dict[str, str | None] = {}
    for name, fault in EXTREME.items():
        prepared = prepare(fault, problem, weights)
        of_each = {
            extreme: _reason(extremes.check, prepared, extreme, dtype, ["train_step"], want, SEED)
            for extreme in extremes.EXTREMES
        }
        reasons[name] = next(
            (f"{extreme}, {reason}" for extreme, reason in of_each.items() if reason), None
        )
    return reasons
