"""The reference: an LSTM in NumPy float64, with a hand-written backward. It is never timed.

The equations are those of Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000, as torch.nn.LSTM
documents them. The code is written for reading, step by step, without the tricks that other implementations use.

It must be better than what it judges, on saturated, huge and tiny numbers too. So sigmoid, and every derivative, keeps
its relative precision however small it is: nothing is computed as 1 minus something that rounds to 1. In a product, a
derivative, which is at most 1, comes before what may be huge: no product overflows whose result does not.
tests/impls/test_reference.py checks all this against 50 digits, and the gradients against central differences.
"""

import itertools
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from impls.core import workloads
from impls.core.adam import Adam
from impls.core.contract import LEARNING_RATE, Prepared
from impls.core.problem import Problem
from impls.core.weights import Array, Inputs, Weights, layers, shapes

Results = dict[str, Array]


def bytes_needed(problem: Problem) -> int:
    """Return about how many bytes forward and backward hold at once: weights, gradients, and what every step keeps."""
    weights = sum(math.prod(shape) for shape in shapes(problem).values())
    units = problem.hidden_size * problem.num_layers * problem.directions
    numbers_a_step = 16 * units + 2 * problem.input_size
    return 8 * (3 * weights + problem.seq_len * problem.batch * numbers_a_step)


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)). 1 - sigmoid(z) is sigmoid(-z), which is precise where the difference is not."""
    small: Array = np.exp(-np.abs(z))
    value: Array = np.where(z < 0, small, 1.0) / (1.0 + small)
    return value


def sigmoid_slope(z: Array) -> Array:
    """Return the derivative of sigmoid at z."""
    slope: Array = sigmoid(z) * sigmoid(-z)
    return slope


def tanh_slope(z: Array) -> Array:
    """Return the derivative of tanh at z: 1 - tanh(z)², as 1 / cosh(z)²."""
    small: Array = np.exp(-np.abs(z))
    root: Array = 2.0 * small / (1.0 + small * small)
    return root**2


class Step(NamedTuple):
    """What a time step keeps for its backward.

    h (B, P) and c (B, H) are the states before it. z and gates have an array (B, H) for each of i, f, g and o: before
    and after their activation. next_c and whole (B, H) are c after it, and h before its projection.
    """

    h: Array
    c: Array
    z: list[Array]
    gates: tuple[Array, Array, Array, Array]
    next_c: Array
    whole: Array


@dataclass(frozen=True)
class Tape:
    """What one direction of one layer keeps for its backward: what it was given, its steps, and its last h and c."""

    weights: Weights
    x: Array
    inside: Array
    anew: Array
    steps: list[Step]
    h: Array
    c: Array


def layer_forward(
    weights: Weights, x: Array, h: Array, c: Array, inside: Array, anew: Array
) -> tuple[Array, Tape]:
    """One direction of one layer: x (T, B, I), h (B, P) and c (B, H) → output (T, B, P) and the tape.

    Args:
        weights: weight_ih and weight_hh; bias_ih and bias_hh where there is a bias; weight_hr (P, H) where h is
            projected.
        x, h, c: the input and the initial states.
        inside: (T, B, 1), false at the steps that are beyond a row's length.
        anew: (T, B, 1), true where a row's state starts from zero before the step.
    """
    from_x = x @ weights["weight_ih"].T
    if "bias_ih" in weights:
        from_x = from_x + (weights["bias_ih"] + weights["bias_hh"])
    steps = []
    outputs = []
    for t in range(len(x)):
        h = np.where(anew[t], 0.0, h)
        c = np.where(anew[t], 0.0, c)
        z = np.split(from_x[t] + h @ weights["weight_hh"].T, 4, axis=1)
        i = sigmoid(z[0])
        f = sigmoid(z[1])
        g = np.tanh(z[2])
        o = sigmoid(z[3])
        next_c = np.where(inside[t], f * c + i * g, c)
        whole = o * np.tanh(next_c)
        next_h = whole @ weights["weight_hr"].T if "weight_hr" in weights else whole
        next_h = np.where(inside[t], next_h, h)
        steps.append(Step(h, c, z, (i, f, g, o), next_c, whole))
        outputs.append(np.where(inside[t], next_h, 0.0))
        h = next_h
        c = next_c
    return np.stack(outputs), Tape(weights, x, inside, anew, steps, h, c)


def layer_backward(tape: Tape, d_output: Array, d_h: Array, d_c: Array) -> dict[str, Array]:
    """Return the gradients of x, h0, c0 and of each weight of one direction of one layer, by its name.

    d_output (T, B, P), and d_h (B, P) and d_c (B, H) of the last states, are the cotangents.
    """
    weights = tape.weights
    grads: dict[str, Array] = {}
    d_zs = []
    for t in reversed(range(len(tape.steps))):
        step = tape.steps[t]
        inside = tape.inside[t]
        z_i, z_f, z_g, z_o = step.z
        i, f, g, o = step.gates
        d_h = d_h + np.where(inside, d_output[t], 0.0)
        d_whole = d_h
        if "weight_hr" in weights:
            d_whole = d_h @ weights["weight_hr"]
            d_hr = np.where(inside, d_h, 0.0).T @ step.whole
            grads["weight_hr"] = grads.get("weight_hr", 0.0) + d_hr
        d_next_c = d_c + o * tanh_slope(step.next_c) * d_whole
        d_i = sigmoid_slope(z_i) * g * d_next_c
        d_f = sigmoid_slope(z_f) * step.c * d_next_c
        d_g = tanh_slope(z_g) * i * d_next_c
        d_o = sigmoid_slope(z_o) * np.tanh(step.next_c) * d_whole
        d_z = np.where(inside, np.concatenate([d_i, d_f, d_g, d_o], axis=1), 0.0)
        d_zs.append(d_z)
        d_h = np.where(inside, d_z @ weights["weight_hh"], d_h)
        d_c = np.where(inside, d_next_c * f, d_c)
        d_h = np.where(tape.anew[t], 0.0, d_h)
        d_c = np.where(tape.anew[t], 0.0, d_c)
    d_z = np.stack(d_zs[::-1])
    rows = d_z.reshape(-1, d_z.shape[2])
    grads["x"] = d_z @ weights["weight_ih"]
    grads["h0"] = d_h
    grads["c0"] = d_c
    grads["weight_ih"] = rows.T @ tape.x.reshape(len(rows), -1)
    grads["weight_hh"] = rows.T @ np.concatenate([step.h for step in tape.steps])
    if "bias_ih" in weights:
        grads["bias_ih"] = rows.sum(axis=0)
        grads["bias_hh"] = grads["bias_ih"]
    return grads


def inside_of(x: Array, lengths: Array | None) -> Array:
    """Return which steps of which rows of x (T, B, ·) are within their length, shape (T, B, 1)."""
    steps, batch = x.shape[:2]
    if lengths is None:
        return np.ones((steps, batch, 1), bool)
    inside: Array = np.arange(steps)[:, None, None] < lengths[:, None]
    return inside


def in_direction(suffix: str, array: Array, inside: Array) -> Array:
    """Return (T, B, ·) as a direction goes through it: in reverse, with each row turned round within its length."""
    if not suffix.endswith("_reverse"):
        return array
    steps = np.arange(len(array))[:, None, None]
    source = np.where(inside, inside.sum(axis=0) - 1 - steps, steps)
    turned: Array = np.take_along_axis(array, source, axis=0)
    return turned


def forward(problem: Problem, weights: Weights, inputs: Inputs) -> tuple[Results, list[Tape]]:
    """Return output (T, B, D·P), h_n (L·D, B, P) and c_n (L·D, B, H), and the tapes for `backward`."""
    x = inputs.x
    inside = inside_of(x, inputs.lengths)
    anew = np.zeros_like(inside) if inputs.resets is None else inputs.resets[:, :, None]
    tapes = []
    outputs: list[Array] = []
    for k, (_, suffix, _) in enumerate(layers(problem)):
        ending = f"_{suffix}"
        own = {n.removesuffix(ending): value for n, value in weights.items() if n.endswith(ending)}
        own_x = in_direction(suffix, x, inside)
        output, tape = layer_forward(own, own_x, inputs.h0[k], inputs.c0[k], inside, anew)
        tapes.append(tape)
        outputs.append(in_direction(suffix, output, inside))
        if len(outputs) == problem.directions:
            x = np.concatenate(outputs, axis=2)
            outputs = []
    h_n = np.stack([tape.h for tape in tapes])
    c_n = np.stack([tape.c for tape in tapes])
    return {"output": x, "h_n": h_n, "c_n": c_n}, tapes


def backward(problem: Problem, tapes: list[Tape], inputs: Inputs) -> Results:
    """Return grad_NAME of every weight, of x (T, B, I), h0 (L·D, B, P) and c0 (L·D, B, H), from the cotangents."""
    results: Results = {}
    results["grad_h0"] = np.zeros_like(inputs.h0)
    results["grad_c0"] = np.zeros_like(inputs.c0)
    parts: list[Array] = []
    d_x: Any = inputs.d_output
    for k, (_, suffix, _) in reversed(list(enumerate(layers(problem)))):
        if not parts:  # the last direction of a layer
            parts = np.split(d_x, problem.directions, axis=2)
            d_x = 0.0
        inside = tapes[k].inside
        part = in_direction(suffix, parts.pop(), inside)
        gradients = layer_backward(tapes[k], part, inputs.d_h_n[k], inputs.d_c_n[k])
        results["grad_h0"][k] = gradients.pop("h0")
        results["grad_c0"][k] = gradients.pop("c0")
        d_x = d_x + in_direction(suffix, gradients.pop("x"), inside)
        for name, gradient in gradients.items():
            results[f"grad_{name}_{suffix}"] = gradient
    return {**results, "grad_x": d_x}


def run_sequence(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """Return the outputs and every gradient of the `sequence` workload, or of `cell`, where T is 1."""
    outputs, tapes = forward(problem, weights, inputs)
    return {**outputs, **backward(problem, tapes, inputs)}


def run_model(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """Return prediction (B, O), loss () and grad_NAME of every parameter, of MODELS."""
    directions = problem.directions
    h0 = np.zeros_like(inputs.h0)
    c0 = np.zeros_like(inputs.c0)
    outputs, tapes = forward(problem, weights, replace(inputs, h0=h0, c0=c0))
    last = np.concatenate(list(outputs["h_n"][-directions:]), axis=1)
    prediction = last @ weights["fc.weight"].T + weights["fc.bias"]
    miss = prediction - inputs.target
    d_prediction = 2 * miss / miss.size
    d_last = d_prediction @ weights["fc.weight"]
    d_h_n = np.zeros_like(h0)
    d_h_n[-directions:] = np.split(d_last, directions, axis=1)
    d_output = np.zeros_like(outputs["output"])
    grads = backward(problem, tapes, replace(inputs, d_output=d_output, d_h_n=d_h_n, d_c_n=c0))
    grads["grad_fc.weight"] = d_prediction.T @ last
    grads["grad_fc.bias"] = d_prediction.sum(axis=0)
    results = {f"grad_{name}": grads[f"grad_{name}"] for name in weights}
    return {"prediction": prediction, "loss": np.array((miss**2).mean()), **results}


def streaming(problem: Problem, weights: Weights, inputs: Inputs) -> Iterator[Results]:
    """Yield what each call of a stream returns: output (1, B, P), h_n and c_n.

    A call is a step. It takes the next x (B, I), after the last one the first again, and goes on from h and c.
    """
    for x in itertools.cycle(inputs.x):
        results, _ = forward(problem, weights, replace(inputs, x=x[None]))
        inputs = replace(inputs, h0=results["h_n"], c0=results["c_n"])
        yield results


def training(
    problem: Problem, weights: Weights, inputs: Inputs, workload: str
) -> Iterator[Results]:
    """Yield what each step of a model returns: its loss, and param_NAME after it.

    The update is plain SGD's. With clipped_adam it is Adam's, and there is size_param_NAME too.
    """
    params = dict(weights)
    adam = Adam(weights)
    clipped_adam = workloads.WORKLOADS[workload].clipped_adam
    for target in itertools.cycle(inputs.targets(workload)):
        results = run_model(problem, params, replace(inputs, target=target))
        grads = {name: results[f"grad_{name}"] for name in weights}
        moves = adam.moves(grads) if clipped_adam else sgd_moves(grads)
        step = {"loss": results["loss"]}
        for name in weights:
            params[name] = params[name] - moves[name]
            step[f"param_{name}"] = params[name]
            if clipped_adam:
                step[f"size_param_{name}"] = adam.sizes[name]
        yield step


def sgd_moves(grads: Results) -> Results:
    """Return by how much a step of plain SGD makes each parameter smaller."""
    return {name: LEARNING_RATE * grad for name, grad in grads.items()}


def run(
    problem: Problem, weights: Weights, inputs: Inputs, workload: str, calls: Collection[int]
) -> Iterator[tuple[int, Results]]:
    """Yield numbers of calls, and all that any mode of a workload returns in the last of so many.

    Modes that do not change the state are among the results of one call. `calls` are of modes that do.
    """
    kind = workloads.WORKLOADS[workload]
    if kind.carries_state:
        steps = streaming(problem, weights, inputs)
    elif kind.is_model:
        if "forward" in kind.modes:
            yield 1, run_model(problem, weights, inputs)
        steps = training(problem, weights, inputs, workload)
    else:
        yield 1, run_sequence(problem, weights, inputs)
        return
    for number in range(1, max(calls, default=0) + 1):
        results = next(steps)
        if number in calls:
            yield number, results


# The reference is an implementation too, so that `python -m impls evaluate reference` works. It is never timed.
FRAMEWORK = "numpy"
TRACK = "reference"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")
WORKLOADS = ("cell", "sequence", "model", "train", "stream")
VARIANTS = ("lengths", "proj_size", "batch_first", "dropout", "resets")


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py. It always computes in float64."""
    kind = workloads.WORKLOADS[workload]

    def load(inputs: Inputs) -> dict[str, Any]:
        steps = training(problem, weights, inputs, workload)
        return {"inputs": inputs, "weights": weights, "steps": steps, "calls": 0}

    def compute(state: dict[str, Any]) -> Results:
        of_kind = run_model if kind.is_model else run_sequence
        return of_kind(problem, state["weights"], state["inputs"])

    def train_step(state: dict[str, Any]) -> Results:
        results: Results = next(state["steps"])
        state["weights"] = {name: results[f"param_{name}"] for name in weights}
        return results

    def step(state: dict[str, Any]) -> Results:
        inputs = state["inputs"]
        x = inputs.x[state["calls"] % problem.seq_len]
        results = next(streaming(problem, weights, replace(inputs, x=x[None])))
        state["inputs"] = replace(inputs, h0=results["h_n"], c0=results["c_n"])
        state["calls"] += 1
        return results

    modes = dict.fromkeys(kind.modes, step if kind.carries_state else compute)
    if kind.is_model:
        modes["train_step"] = train_step
    return Prepared(load, lambda _, result: result, **modes)
