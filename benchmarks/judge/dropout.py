"""The gradient under dropout: it is compared with central differences, since the reference drops nothing.

A generator that starts anew drops the same numbers again. So the outputs are a function of weights and inputs, whose
derivative along a direction follows from two of its values. A backward that forgets what was dropped has another.
"""

import random
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.judge.agreement import Disagrees, Results
from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Array, Inputs, Weights, make_inputs

STEPS = {"float32": 1e-3, "float64": 1e-6}
"""How far each number is moved to either side, by dtype. In less precise dtypes nothing is compared."""
TOLERANCES = {"float32": 2e-2, "float64": 1e-6}
"""How far a derivative may be off, of the gradient's norm: honest ones are off by 1e-3 and 1e-9, faults by 0.1."""
DIRECTIONS = 3
"""Along so many random directions: in a single one, a fault may be small by chance."""

Prepare = Callable[[Weights], Prepared]
"""Prepares an implementation anew with some weights, so that a key of its own starts anew too."""


def restart_generators(seed: int) -> None:
    """Seed the generators that Python, NumPy and PyTorch share among all code of a process."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - an implementation may use it
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def run(prepare: Prepare, weights: Weights, inputs: Inputs, mode: str, seed: int) -> Results:
    """Return outputs and gradients of a training mode that drops the numbers of a seed."""
    prepared = prepare(weights)
    restart_generators(seed)
    state = prepared.load(inputs)
    if mode == "train_step":
        return prepared.to_numpy(mode, prepared.call(mode)(state))
    outputs = prepared.to_numpy("forward_train", prepared.call("forward_train")(state))
    return outputs | prepared.to_numpy(mode, prepared.call(mode)(state))


def value_of(results: Results, inputs: Inputs) -> float:
    """Return the number whose gradient is computed: the outputs' product with their cotangents."""
    pairs = {"output": inputs.d_output, "h_n": inputs.d_h_n, "c_n": inputs.d_c_n}
    return float(sum(np.sum(results[name] * cotangent) for name, cotangent in pairs.items()))


def check_gradient(
    prepare: Prepare, problem: Problem, weights: Weights, mode: str, seed: int
) -> None:
    """Compare the gradients of a mode that drops half with central differences.

    Nothing is compared in a dtype without STEPS, nor where a seed does not repeat the results.

    Raises:
        Disagrees: where a derivative along a direction is off.
    """
    step = STEPS.get(problem.dtype)
    if step is None:
        return
    inputs = make_inputs(problem, seed, timed=True)
    results = run(prepare, weights, inputs, mode, seed)
    again = run(prepare, weights, inputs, mode, seed)
    if any(not np.array_equal(results[name], again[name]) for name in results):
        return
    leaves = {**weights, "x": inputs.x, "h0": inputs.h0, "c0": inputs.c0}
    gradients = {name: results[f"grad_{name}"] for name in leaves}
    norm = np.sqrt(sum(np.sum(gradient**2) for gradient in gradients.values()))
    rng = np.random.default_rng([seed, 3])
    for _ in range(DIRECTIONS):
        direction = {name: rng.standard_normal(value.shape) for name, value in leaves.items()}
        values = []
        for signed in (step, -step):
            moved = {name: value + signed * direction[name] for name, value in leaves.items()}
            values.append(_value_at(prepare, weights, inputs, moved, mode, seed))
        want = (values[0] - values[1]) / (2 * step)
        got = sum(np.sum(gradients[name] * direction[name]) for name in leaves)
        error = abs(got - want) / norm
        tolerance = TOLERANCES[problem.dtype]
        if not error <= tolerance:
            raise Disagrees(
                f"{mode} with dropout 0.5: the derivative along a random direction is {got:.6g}, by differences"
                f" {want:.6g} (error {error:.2g} of the gradient's norm, tolerance {tolerance:.0e})"
            )


def _value_at(
    prepare: Prepare,
    weights: Weights,
    inputs: Inputs,
    moved: dict[str, Array],
    mode: str,
    seed: int,
) -> float:
    """Return the value where weights and inputs have been moved."""
    of_weights = {name: moved[name] for name in weights}
    of_inputs = replace(inputs, x=moved["x"], h0=moved["h0"], c0=moved["c0"])
    return value_of(run(prepare, of_weights, of_inputs, mode, seed), inputs)
