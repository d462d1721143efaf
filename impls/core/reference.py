"""The reference: an LSTM in NumPy float64, with a hand-written backward. It is never timed.

The equations are those of Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000, as torch.nn.LSTM
documents them. The code is written for reading, step by step, without the tricks that other implementations use.

It must be better than what it judges, on saturated, huge and tiny numbers too. So sigmoid, and every derivative, keeps
its relative precision however small it is: nothing is computed as 1 minus something that rounds to 1. In a product, a
derivative, which is at most 1, comes before what may be huge: no product overflows whose result does not.
tests/impls/test_reference.py checks all this against 50 digits, and the gradients against central differences.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

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
    kept = (
        16 * problem.hidden_size * problem.num_layers * problem.directions + 2 * problem.input_size
    )
    return 8 * (3 * weights + problem.seq_len * problem.batch * kept)


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


@dataclass
class Tape:
    """What one direction of one layer keeps for its backward: x (T, B, I), inside, and lists over the time steps.

    h and c have T + 1 arrays (B, H), the initial states first. z and gates have T entries of four arrays (B, H): the
    gates i, f, g, o before and after their activation. With a projection, whole has T arrays (B, H): h before it. Where
    a row starts anew, h before the step is zero.
    """

    x: Array
    inside: Array
    h: list[Array]
    c: list[Array]
    z: list[list[Array]]
    gates: list[tuple[Array, Array, Array, Array]]
    whole: list[Array]
    weight_hr: Array | None
    anew: Array | None


def layer_forward(  # noqa: PLR0913, PLR0917
    x: Array,
    h: Array,
    c: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias: Array,
    inside: Array,
    weight_hr: Array | None = None,
    anew: Array | None = None,
) -> tuple[Array, Tape]:
    """One direction of one layer: x (T, B, I), h (B, P) and c (B, H) → output (T, B, P) and the tape.

    inside (T, B, 1) is false at the steps that are beyond a row's length. weight_hr (P, H) projects h. anew (T, B, 1)
    is true where a row's state starts from zero before the step.
    """
    tape = Tape(x, inside, [h], [c], [], [], [], weight_hr, anew)
    outputs = []
    for t, (from_x, live) in enumerate(zip(x @ weight_ih.T + bias, inside, strict=True)):
        if anew is not None:
            h, c = np.where(anew[t], 0.0, h), np.where(anew[t], 0.0, c)
            tape.h[-1] = h
        z_i, z_f, z_g, z_o = np.split(from_x + h @ weight_hh.T, 4, axis=1)
        i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
        c = np.where(live, f * c + i * g, c)
        whole = o * np.tanh(c)
        h = np.where(live, whole if weight_hr is None else whole @ weight_hr.T, h)
        outputs.append(np.where(live, h, 0.0))
        tape.h.append(h)
        tape.c.append(c)
        tape.z.append([z_i, z_f, z_g, z_o])
        tape.gates.append((i, f, g, o))
        tape.whole.append(whole)
    return np.stack(outputs), tape


def layer_backward(
    tape: Tape, d_output: Array, d_h: Array, d_c: Array, weight_ih: Array, weight_hh: Array
) -> dict[str, Array]:
    """Return the gradients of x, weight_ih, weight_hh, bias (4H,), h0 and c0 of one direction of one layer.

    With a projection, also that of weight_hr. d_output (T, B, P), and d_h (B, P) and d_c (B, H) of the last states, are
    the cotangents.
    """
    d_zs: list[Array] = []
    weight_hr, anew = tape.weight_hr, tape.anew
    d_hr: Any = 0.0
    for t in reversed(range(len(tape.x))):
        z_i, z_f, z_g, z_o = tape.z[t]
        i, f, g, o = tape.gates[t]
        c, c_before, live = tape.c[t + 1], tape.c[t], tape.inside[t]
        d_h = d_h + np.where(live, d_output[t], 0.0)
        if anew is not None:
            c_before = np.where(anew[t], 0.0, c_before)
        d_whole = d_h if weight_hr is None else d_h @ weight_hr
        if weight_hr is not None:
            d_hr = d_hr + np.where(live, d_h, 0.0).T @ tape.whole[t]
        d_here = d_c + o * tanh_slope(c) * d_whole
        d_z = np.concatenate(
            [
                sigmoid_slope(z_i) * g * d_here,
                sigmoid_slope(z_f) * c_before * d_here,
                tanh_slope(z_g) * i * d_here,
                sigmoid_slope(z_o) * np.tanh(c) * d_whole,
            ],
            axis=1,
        )
        d_z = np.where(live, d_z, 0.0)
        d_zs.append(d_z)
        d_h = np.where(live, d_z @ weight_hh, d_h)
        d_c = np.where(live, d_here * f, d_c)
        if anew is not None:
            d_h, d_c = np.where(anew[t], 0.0, d_h), np.where(anew[t], 0.0, d_c)
    gradients = batched_gradients(tape, np.stack(d_zs[::-1]), d_h, d_c, weight_ih)
    return gradients if weight_hr is None else {**gradients, "weight_hr": d_hr}


def batched_gradients(
    tape: Any, d_z: Array, d_h0: Array, d_c0: Array, weight_ih: Array
) -> dict[str, Array]:
    """Return what layer_backward returns, from d_z (T, B, 4H), the gradients of the gates before their activation."""
    rows = d_z.reshape(-1, d_z.shape[2])
    return {
        "x": d_z @ weight_ih,
        "weight_ih": rows.T @ tape.x.reshape(len(rows), -1),
        "weight_hh": rows.T @ np.concatenate(tape.h[:-1]),
        "bias": rows.sum(axis=0),
        "h0": d_h0,
        "c0": d_c0,
    }


def _bias(weights: Weights, suffix: str) -> Array:
    if f"bias_ih_{suffix}" not in weights:
        return np.zeros_like(weights[f"weight_hh_{suffix}"][:, 0])
    return weights[f"bias_ih_{suffix}"] + weights[f"bias_hh_{suffix}"]


def inside_of(x: Array, lengths: Array | None) -> Array:
    """Return which steps of which rows of x (T, B, ·) are within their length, shape (T, B, 1)."""
    steps, batch = x.shape[:2]
    inside: Array = np.arange(steps)[:, None] < (
        np.full(batch, steps) if lengths is None else lengths
    )
    return inside[:, :, None]


def _flip(array: Array, suffix: str, inside: Array) -> Array:
    """Turn each row of (T, B, ·) round within its length, where the suffix is that of a reverse direction."""
    if not suffix.endswith("_reverse"):
        return array
    if inside.all():
        return array[::-1]
    steps = np.arange(len(array))[:, None, None]
    source = np.where(inside, inside.sum(axis=0) - 1 - steps, steps)
    turned: Array = np.take_along_axis(array, source, axis=0)
    return turned


def forward(
    problem: Problem,
    weights: Weights,
    x: Array,
    h0: Array,
    c0: Array,
    lengths: Array | None = None,
    resets: Array | None = None,
    layer: Callable[..., tuple[Array, Any]] = layer_forward,
) -> tuple[Results, list[Any]]:
    """Return output (T, B, D·P), h_n (L·D, B, P) and c_n (L·D, B, H), and the tapes for `backward`.

    numpy_lstm brings another `layer`, with a tape of its own that has x, h and c too.
    """
    tapes: list[Any] = []
    outputs: list[Array] = []
    inside = inside_of(x, lengths)
    anew = {} if resets is None else {"anew": resets[:, :, None]}
    for k, (_, suffix, _) in enumerate(layers(problem)):
        output, tape = layer(
            _flip(x, suffix, inside),
            h0[k],
            c0[k],
            weights[f"weight_ih_{suffix}"],
            weights[f"weight_hh_{suffix}"],
            _bias(weights, suffix),
            inside,
            **({"weight_hr": weights[f"weight_hr_{suffix}"]} if problem.proj_size else {}),
            **anew,
        )
        tapes.append(tape)
        outputs.append(_flip(output, suffix, inside))
        if len(outputs) == problem.directions:
            x = np.concatenate(outputs, axis=2)
            outputs = []
    return {
        "output": x,
        "h_n": np.stack([tape.h[-1] for tape in tapes]),
        "c_n": np.stack([tape.c[-1] for tape in tapes]),
    }, tapes


def backward(
    problem: Problem,
    weights: Weights,
    tapes: list[Any],
    d_output: Array,
    d_h_n: Array,
    d_c_n: Array,
    layer: Callable[..., dict[str, Array]] = layer_backward,
) -> Results:
    """Return grad_NAME of every weight, of x (T, B, I), h0 (L·D, B, P) and c0 (L·D, B, H)."""
    grads: Results = {}
    d_h0, d_c0 = np.zeros_like(d_h_n), np.zeros_like(d_c_n)
    width = problem.state_size
    d_x = np.zeros(0)
    for k, (_, suffix, _) in reversed(list(enumerate(layers(problem)))):
        direction = k % problem.directions
        if direction == problem.directions - 1:
            d_x = np.zeros_like(tapes[k].x)
        part = d_output[:, :, direction * width : (direction + 1) * width]
        gradients = layer(
            tapes[k],
            _flip(part, suffix, tapes[k].inside),
            d_h_n[k],
            d_c_n[k],
            weights[f"weight_ih_{suffix}"],
            weights[f"weight_hh_{suffix}"],
        )
        d_x = d_x + _flip(gradients["x"], suffix, tapes[k].inside)
        d_h0[k], d_c0[k] = gradients["h0"], gradients["c0"]
        grads[f"grad_weight_ih_{suffix}"] = gradients["weight_ih"]
        grads[f"grad_weight_hh_{suffix}"] = gradients["weight_hh"]
        if problem.proj_size:
            grads[f"grad_weight_hr_{suffix}"] = gradients["weight_hr"]
        if problem.bias:
            grads[f"grad_bias_ih_{suffix}"] = gradients["bias"]
            grads[f"grad_bias_hh_{suffix}"] = gradients["bias"]
        if direction == 0:
            d_output = d_x
    return {**grads, "grad_x": d_x, "grad_h0": d_h0, "grad_c0": d_c0}


def run_sequence(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """Return the outputs and every gradient of the `sequence` workload, or of `cell`, where T is 1."""
    outputs, tapes = forward(
        problem, weights, inputs.x, inputs.h0, inputs.c0, inputs.lengths, inputs.resets
    )
    return {
        **outputs,
        **backward(problem, weights, tapes, inputs.d_output, inputs.d_h_n, inputs.d_c_n),
    }


def run_stream(
    problem: Problem, weights: Weights, inputs: Inputs, calls: Iterable[int]
) -> Iterator[tuple[int, Results]]:
    """Yield each of increasing numbers of calls, and the results of the last of so many: output (1, B, P), h_n, c_n.

    A call is a step. It takes the next x (B, I), after the last one the first again, and goes on from h and c.
    """
    h, c, done, results = inputs.h0, inputs.c0, 0, Results()
    for wanted in calls:
        while done < wanted:  # x at most once at a time
            at = done % len(inputs.x)
            results, _ = forward(problem, weights, inputs.x[at : at + wanted - done], h, c)
            h, c, done = results["h_n"], results["c_n"], done + len(results["output"])
        yield wanted, {**results, "output": results["output"][-1:]}


def run_model(problem: Problem, weights: Weights, inputs: Inputs) -> Results:
    """Return prediction (B, O), loss () and grad_NAME of every parameter, of MODELS."""
    h0, c0 = np.zeros_like(inputs.h0), np.zeros_like(inputs.c0)
    outputs, tapes = forward(problem, weights, inputs.x, h0, c0, inputs.lengths, inputs.resets)
    last = np.concatenate(list(outputs["h_n"][-problem.directions :]), axis=1)
    prediction = last @ weights["fc.weight"].T + weights["fc.bias"]
    miss = prediction - inputs.target
    d_prediction = 2 * miss / miss.size
    d_h_n = np.zeros_like(h0)
    d_h_n[-problem.directions :] = np.stack(
        np.split(d_prediction @ weights["fc.weight"], problem.directions, axis=1)
    )
    grads = backward(
        problem, weights, tapes, np.zeros_like(outputs["output"]), d_h_n, np.zeros_like(c0)
    )
    grads["grad_fc.weight"] = d_prediction.T @ last
    grads["grad_fc.bias"] = d_prediction.sum(axis=0)
    kept = {name: grad for name, grad in grads.items() if name.removeprefix("grad_") in weights}
    return {"prediction": prediction, "loss": np.array((miss**2).mean()), **kept}


def sgd_moves(grads: Results) -> Results:
    """Return by how much a step of plain SGD makes each parameter smaller."""
    return {name: LEARNING_RATE * grad for name, grad in grads.items()}


def training(
    problem: Problem, weights: Weights, inputs: Inputs, workload: str
) -> Iterator[Results]:
    """Yield what each step of one of MODELS returns: its loss, and param_NAME after it.

    The update is plain SGD's. With clipped_adam it is Adam's, and there is size_param_NAME too.
    """
    params = dict(weights)
    adam = Adam(weights) if workloads.WORKLOADS[workload].clipped_adam else None
    for target in itertools.cycle(inputs.targets(workload)):
        results = run_model(problem, params, replace(inputs, target=target))
        grads = {name: results[f"grad_{name}"] for name in weights}
        moves = adam.moves(grads) if adam is not None else sgd_moves(grads)
        params = {name: value - moves[name] for name, value in params.items()}
        step = {"loss": results["loss"]}
        for name, value in params.items():
            step[f"param_{name}"] = value
            if adam is not None:
                step[f"size_param_{name}"] = adam.sizes[name]
        yield step


def run(
    problem: Problem, weights: Weights, inputs: Inputs, workload: str, calls: Sequence[int]
) -> Iterator[tuple[int, Results]]:
    """Yield numbers of calls, and all that any mode of a workload returns in the last of so many.

    Modes that do not change the state are among the results of one call. `calls` are increasing, and of those that do.
    """
    kind = workloads.WORKLOADS[workload]
    if kind.carries_state:
        yield from run_stream(problem, weights, inputs, calls)
        return
    if not kind.is_model:
        yield 1, run_sequence(problem, weights, inputs)
        return
    if "forward" in kind.modes:
        yield 1, run_model(problem, weights, inputs)
    steps = training(problem, weights, inputs, workload)
    for number, results in zip(range(1, max(calls, default=0) + 1), steps, strict=False):
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
        if kind.is_model:
            return run_model(problem, state["weights"], state["inputs"])
        return run_sequence(problem, state["weights"], state["inputs"])

    def train_step(state: dict[str, Any]) -> Results:
        results: Results = next(state["steps"])
        state["weights"] = {name: results[f"param_{name}"] for name in weights}
        return results

    def step(state: dict[str, Any]) -> Results:
        x, at = state["inputs"].x, state["calls"] % problem.seq_len
        _, results = next(
            run_stream(problem, weights, replace(state["inputs"], x=x[at : at + 1]), [1])
        )
        state["inputs"], state["calls"] = (
            replace(state["inputs"], h0=results["h_n"], c0=results["c_n"]),
            at + 1,
        )
        return results

    modes = dict.fromkeys(kind.modes, step if kind.carries_state else compute)
    if kind.is_model:
        modes["train_step"] = train_step
    return Prepared(load, lambda _, result: result, **modes)
