"""Negative controls: LSTMs that are wrong on purpose. A check that accepts any of them is no check.

Each is the reference with an injected fault. It must be refused with the tolerance of every dtype. In half precision,
whose tolerance is large, a weight must be off by far more to be found: by 0.4 in float16 and by 3 in bfloat16. The
faults in EXTREME are found on extreme numbers only, and must be refused in float64.
"""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.judge import agreement, dropout, extremes
from impls.core import adam, reference
from impls.core.constants import DEFAULT_DTYPES
from impls.core.contract import Prepared
from impls.core.precision import IEEE, current
from impls.core.problem import FORMATS, Problem
from impls.core.reference import Results, run_model, sigmoid, sigmoid_slope
from impls.core.weights import Array, Inputs, Weights, make_weights

PROBLEM = Problem.parse("t5-b4-i8-h8")
"""I = H, so that a transposed matrix still fits."""
PROBLEM_OF_MEMORY = Problem.parse("t64-b2-i8-h64")
HALF = 32
"""Half of its steps."""
SEED = 11
"""Of the weights and inputs of extreme controls."""


@dataclass
class Case:
    """What a control computes wrongly: the state that it gets for a set of inputs.

    calls: how many steps of a stream were made before.
    """

    problem: Problem
    weights: Weights
    workload: str
    inputs: Inputs
    calls: int = 0

    def __post_init__(self) -> None:
        self.right = reference.prepare(self.problem, self.weights, "cpu", self.workload)
        self.state = self.right.load(self.inputs)

    def run(self, **others: Any) -> Results:
        """Return the reference's results of a sequence, with some other weights or inputs."""
        weights = {name: others.pop(name, value) for name, value in self.weights.items()}
        inputs = dataclasses.replace(self.inputs, **others)
        return reference.run_sequence(self.problem, weights, inputs)

    def step(self, inputs: Inputs) -> Results:
        """Return the results of the next step of a stream, which starts from the states in these inputs."""
        self.calls += 1
        self.state["inputs"] = inputs
        results: Results = self.right.call("forward")(self.state)
        return results

    def gradients_of(self, other: Results, part: str = "") -> Results:
        """Return the right results, but with the gradients of others that have this part in their names."""
        results = self.run()
        for name in other:
            if name.startswith("grad_") and part in name:
                results[name] = other[name]
        return results

    def alone(self, start: int) -> Results:
        """Return the results of the steps from `start` on alone, with zero states before them."""
        zero = np.zeros_like(self.inputs.h0)
        return self.run(x=self.inputs.x[start:], h0=zero, c0=zero)

    @property
    def inside(self) -> Array:
        """Where in x and output a row of the batch has not ended."""
        return reference.inside_of(self.inputs.x, self.inputs.lengths)

    @property
    def resets(self) -> Array:
        """Where a row starts anew."""
        assert self.inputs.resets is not None
        return self.inputs.resets


Fault = Callable[[Case], Results]
"""What computes a case wrongly."""


def patched(module: ModuleType, **others: Any) -> Fault:
    """Return the reference with other functions or constants in a module."""

    def fault(case: Case) -> Results:
        with np.errstate(all="ignore"), patch.multiple(module, **others):
            results: Results = case.right.call("train_step")(case.state)
        return results

    return fault


def changed(name: str, change: Callable[[Array], Array]) -> Fault:
    """Return the reference with a change of one result."""

    def fault(case: Case) -> Results:
        results = case.run()
        return results | {name: change(results[name])}

    return fault


def scaled_below(limit: float, factor: float) -> Fault:
    """Return the reference with all numbers below a limit times a factor."""

    def fault(case: Case) -> Results:
        results = case.run()
        for value in results.values():
            value[np.abs(value) < limit] *= factor
        return results

    return fault


def gates_swapped(case: Case) -> Results:
    """The rows of all weights in the order f, i, g, o."""
    swapped = {}
    for name, value in case.weights.items():
        i, f, g, o = np.split(value, 4)
        swapped[name] = np.concatenate([f, i, g, o])
    return case.run(**swapped)


def matrix_transposed(case: Case) -> Results:
    """Each gate's block of weight_hh transposed."""
    blocks = np.split(case.weights["weight_hh_l0"], 4)
    return case.run(weight_hh_l0=np.concatenate([block.T for block in blocks]))


def weight_off(case: Case) -> Results:
    """A single weight off by 1e-3; where the tolerance is larger, by 50 times the tolerance."""
    wrong = case.weights["weight_ih_l0"].copy()
    wrong[3, 2] += max(1e-3, 50 * agreement.tolerance_of(case.problem.dtype))
    return case.run(weight_ih_l0=wrong)


def just_above(case: Case) -> Results:
    """The output in one element off by 1.1 times the tolerance."""
    results = case.run()
    largest = np.abs(results["output"]).max()
    results["output"][1, 2, 3] += 1.1 * agreement.tolerance_of(case.problem.dtype) * largest
    return results


def one_nan(case: Case) -> Results:
    """A single NaN in each result."""
    results = case.run()
    for value in results.values():
        value.flat[-1] = np.nan
    return results


def axis_dropped(case: Case) -> Results:
    """h_n, h0's and x's gradients without their first axis, as after a stray squeeze()."""
    results = case.run()
    for name in ("h_n", "grad_h0", "grad_x"):
        results[name] = results[name][0]
    return results


def padding_in_output(case: Case) -> Results:
    """The last output of a row repeated beyond its length, as Keras does."""
    results = case.run()
    forward = results["output"][:, :, :8]
    forward[:] = np.where(case.inside, forward, results["h_n"][0])
    return results


def reversed_with_padding(case: Case) -> Results:
    """The reverse direction starts at seq_len, and goes through the padding first."""
    results = case.run()
    backward = case.run(lengths=None)["output"][:, :, 8:]
    results["output"][:, :, 8:] = np.where(case.inside, backward, 0.0)
    return results


def padding_in_gradient(case: Case) -> Results:
    """The cotangent of the output beyond a row's length reaches the gradient of x there."""
    results = case.run()
    cotangent = case.inputs.d_output[:, :, :8]
    return results | {"grad_x": np.where(case.inside, results["grad_x"], cotangent)}


def last_half(case: Case) -> Results:
    """The final states of the last half of the sequence alone."""
    alone = case.alone(HALF)
    return case.run() | {"h_n": alone["h_n"], "c_n": alone["c_n"]}


def windows(case: Case) -> Results:
    """The last half of the output from a window of its own, which begins 24 steps before it."""
    results = case.run()
    results["output"][HALF:] = case.alone(HALF - 24)["output"][24:]
    return results


def first_half(case: Case) -> Results:
    """The gradients of the initial states from the cotangents of the first half alone."""
    d_output = case.inputs.d_output.copy()
    d_output[HALF:] = 0.0
    none = np.zeros_like(case.inputs.d_h_n)
    alone = case.run(d_output=d_output, d_h_n=none, d_c_n=none)
    return case.run() | {"grad_h0": alone["grad_h0"], "grad_c0": alone["grad_c0"]}


def dropped_in_inference(case: Case) -> Results:
    """Every second number that the second layer gets is dropped."""
    mask = np.arange(8) % 2
    return case.run(weight_ih_l1=case.weights["weight_ih_l1"] * 2 * mask)


def dropped(case: Case, forgets: bool) -> Results:
    """Half of x is dropped. What forgets that in the backward gives numbers that were dropped a gradient."""
    kept = np.random.random(case.inputs.x.shape) < 0.5  # noqa: NPY002 - the generator that starts anew
    results = case.run(x=2 * kept * case.inputs.x)
    if forgets:
        return results
    return results | {"grad_x": 2 * kept * results["grad_x"]}


def sigmoid_from_tanh(case: Case) -> Results:
    """0.5 · (1 + tanh(z / 2)), which is 0, or has few digits, where a gate is shut."""
    dtype = case.problem.dtype
    return patched(reference, sigmoid=lambda z: 0.5 + 0.5 * np.tanh(0.5 * z.astype(dtype)))(case)


def _decaying(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """Return the model's results with 1e-3 of each weight added to its gradient."""
    results = run_model(problem, weights, inputs)
    for name in weights:
        results[f"grad_{name}"] = results[f"grad_{name}"] + 1e-3 * weights[name]
    return results


FAULTS: dict[Problem, dict[str, Fault]] = {
    PROBLEM: {
        "gates_swapped": gates_swapped,
        # bias_hh left out
        "bias_dropped": lambda case: case.run(bias_hh_l0=0 * case.weights["bias_hh_l0"]),
        # no gradient through the last hidden state, as after a stray detach()
        "gradient_detached": lambda case: case.gradients_of(case.run(d_h_n=0 * case.inputs.d_h_n)),
        "matrix_transposed": matrix_transposed,
        "weight_off": weight_off,
        "just_above": just_above,
        "one_nan": one_nan,
        "axis_dropped": axis_dropped,
    },
    Problem.parse("t5-b4-i8-h8-bi-var"): {
        # every row as long as seq_len
        "lengths_ignored": lambda case: case.run(lengths=None),
        "padding_in_output": padding_in_output,
        "reversed_with_padding": reversed_with_padding,
        "padding_in_gradient": padding_in_gradient,
    },
    Problem.parse("t5-b4-i8-h8-l2-bi"): {
        # the reverse direction comes first in the output
        "directions_swapped": changed("output", lambda output: np.roll(output, 8, axis=2)),
        # the final states of the last layer come first
        "layers_swapped": changed("c_n", lambda c_n: np.roll(c_n, 2, axis=0)),
        # no gradient of the output reaches the weights of the first layer: as where layers are differentiated apart
        "layer_not_fed_back": lambda case: case.gradients_of(
            case.run(d_output=0 * case.inputs.d_output), "_l0"
        ),
    },
    # would pass in float32 if no unit remembered
    PROBLEM_OF_MEMORY: {"last_half": last_half, "windows": windows, "first_half": first_half},
    Problem.parse("t5-b4-i8-h8-p4"): {
        # the first numbers of h in place of its projection
        "not_projected": lambda case: case.run(weight_hr_l0=np.eye(4, 8))
    },
    Problem.parse("t4-b4-i8-h8-first"): {
        # the output is time-major still; T = B, so that swapped axes fit
        "output_not_swapped": changed("output", lambda output: output.swapaxes(0, 1))
    },
    Problem.parse("t5-b4-i8-h8-l2-drop"): {
        "dropped_in_inference": dropped_in_inference,
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
STREAM: dict[str, Fault] = {
    "state_not_kept": lambda case: case.step(case.inputs),
    # lost every 1,000 calls
    "state_reset": lambda case: case.step(
        case.state["inputs"] if case.calls % 1000 else case.inputs
    ),
    "only_c_kept": lambda case: case.step(
        dataclasses.replace(case.state["inputs"], h0=case.inputs.h0)
    ),
}
"""What must be refused at PROBLEM_OF_MEMORY in `stream`."""
TRAIN: dict[str, Fault] = {
    "not_clipped": patched(adam, clipped=dict),
    # each tensor by its own norm
    "clipped_apart": patched(
        adam,
        clipped=lambda grads: {k: v / max(1, np.linalg.norm(v)) for k, v in grads.items()},
    ),
    "beta1_off": patched(adam, BETAS=(0.8, 0.999)),
    "beta2_off": patched(adam, BETAS=(0.9, 0.99)),
    "bias_not_corrected": patched(adam, correction=lambda *_: 1.0),
    "epsilon_in_root": patched(adam, root_of=lambda v: np.sqrt(v + 1e-8)),
    # plain SGD, whose steps are about as long as Adam's
    "sgd": patched(adam, BETAS=(0.0, 0.999), root_of=lambda v: np.full_like(v, np.sqrt(v.mean()))),
    "weights_decay": patched(reference, run_model=_decaying),
}
"""What must be refused at PROBLEM in `train`."""
INFERENCE = ("dropped_in_inference", *STREAM)
"""Those that are wrong in `forward`. The others are checked in `train_step`; in int8, which infers only, all are."""
TRAINING = (
    "gradient_detached", "padding_in_gradient", "layer_not_fed_back", "first_half", "nothing_dropped",
    "reset_not_in_backward",
)  # fmt: skip
"""Those that are right in `forward`."""

EXTREME: dict[str, Fault] = {
    "sigmoid_from_tanh": sigmoid_from_tanh,
    # exp(z) / (1 + exp(z)), which is NaN for a large z
    "exp_overflows": patched(reference, sigmoid=lambda z: np.exp(z) / (1 + np.exp(z))),
    # gates from pre-activations that are clipped to ±8, so that none shuts
    "gates_clipped": patched(reference, sigmoid=lambda z: sigmoid(np.clip(z, -8, 8))),
    # a sigmoid that reaches 1 only to a rounding error, so that a huge x still has a gradient
    "slope_never_zero": patched(
        reference, sigmoid_slope=lambda z: np.maximum(sigmoid_slope(z), 6e-8)
    ),
    # results below 1e-20 are zero, as after half precision
    "tiny_lost": scaled_below(1e-20, 0),
    # results below the smallest normal number are twice as large as they should be
    "denormal_doubled": lambda case: scaled_below(FORMATS[case.problem.dtype].smallest, 2)(case),
}
"""What only extreme numbers find."""


def prepare(
    fault: Fault, problem: Problem, weights: Weights, workload: str = "sequence"
) -> Prepared:
    """Return the Prepared of a fault, which has the modes forward and train_step only."""
    load = functools.partial(Case, problem, weights, workload)
    return Prepared(load=load, to_numpy=lambda _, result: result, forward=fault, train_step=fault)


def _reason(check: Callable[..., object], *arguments: object) -> str | None:
    """Return the reason why a check refuses; None where it passes."""
    try:
        check(*arguments)
    except agreement.Disagrees as error:
        return str(error)
    return None


def refusals(dtype: str) -> dict[str, str | None]:
    """Return the reason why agreement refuses each control, by the control's name; None where it passes."""
    groups = [("sequence", problem, faults) for problem, faults in FAULTS.items()]
    groups.append(("stream", PROBLEM_OF_MEMORY, STREAM))
    if dtype in DEFAULT_DTYPES and current() == IEEE:  # in TF32 no training loop is compared
        groups.append(("train", PROBLEM, TRAIN))
    reasons: dict[str, str | None] = {}
    if dtype in dropout.STEPS:
        reasons["mask_forgotten"] = refusal_of_dropout(dtype, forgets=True)
    for workload, of_group, faults in groups:
        problem = of_group.replace(dtype=dtype)
        weights = make_weights(problem, workload)
        want = agreement.expected(problem, workload, weights)
        for name, fault in faults.items():
            infers = dtype == "int8" or name in INFERENCE
            if infers and name in TRAINING:
                continue
            mode = "forward" if infers else "train_step"
            prepared = prepare(fault, problem, weights, workload)
            reasons[name] = _reason(agreement.check, prepared, problem, workload, mode, want)
    return reasons


def refusal_of_dropout(dtype: str, forgets: bool) -> str | None:
    """Return the reason why the gradient under dropout is refused; None where it passes."""
    problem = PROBLEM.replace(dtype=dtype)
    fault = functools.partial(dropped, forgets=forgets)
    anew = functools.partial(prepare, fault, problem)
    weights = make_weights(problem)
    return _reason(dropout.check_gradient, anew, problem, weights, "train_step", SEED)


def extreme_refusals(dtype: str) -> dict[str, str | None]:
    """Return the same for the controls that extreme numbers must find."""
    problem = extremes.PROBLEM.replace(dtype=dtype)
    weights = extremes.weights_of(dtype, SEED)
    want = extremes.expected(dtype, SEED, SEED)
    reasons: dict[str, str | None] = dict.fromkeys(EXTREME)
    for name, fault in EXTREME.items():
        prepared = prepare(fault, problem, weights)
        for extreme in extremes.EXTREMES:
            reason = _reason(extremes.check, prepared, extreme, dtype, ["train_step"], want, SEED)
            if reason:
                reasons[name] = f"{extreme}, {reason}"
                break
    return reasons
