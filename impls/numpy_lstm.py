"""A plain LSTM in NumPy, forward and backward by hand, with the input projection and the weight gradients batched."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from impls.api import Array, Inputs, Prepared, Problem, Weights, layers

FRAMEWORK = "numpy"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")
WORKLOADS = ("cell", "sequence", "stream")
VARIANTS = ("lengths",)
OPTIONAL = True


@dataclass
class Tape:
    """What one direction of one layer keeps for its backward: x (T, B, I), and lists over the time steps.

    h and c have T + 1 arrays (B, H), the initial states first; gates has T arrays (B, 4H): i, f, g and o.
    """

    x: Array
    h: list[Array]
    c: list[Array]
    gates: list[Array]


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)). Where exp(-z) overflows, that is 0, as it should be."""
    return 1 / (1 + np.exp(-z))  # type: ignore[no-any-return]


def masks(steps: int, lengths: Array | None) -> Array | None:
    """Return for each step which rows are within their length, shape (T, B, 1); None where there are no lengths."""
    if lengths is None:
        return None
    return np.arange(steps)[:, None, None] < lengths[:, None]  # type: ignore[no-any-return]


def in_direction(suffix: str, array: Array, lengths: Array | None) -> Array:
    """Return (T, B, ·) as a direction goes through it: in reverse, with each row turned round within its length."""
    if not suffix.endswith("_reverse"):
        return array
    if lengths is None:
        return array[::-1]
    steps = np.arange(len(array))[:, None]
    source = np.where(steps < lengths, lengths - 1 - steps, steps)
    return np.take_along_axis(array, source[:, :, None], axis=0)


@dataclass
class State:
    """Weights and inputs in the problem's dtype, lengths where rows differ in them, the tapes, a stream's calls."""

    weights: dict[str, Array]
    inputs: dict[str, Array]
    lengths: Array | None = None
    tapes: list[Tape] = field(default_factory=list)
    calls: int = 0


def layer_forward(state: State, k: int, suffix: str, x: Array, keep: bool) -> tuple[Array, Tape]:
    """One direction of one layer, the one at k of h_n's first axis: x (T, B, I) → output (T, B, H) and the tape.

    Without `keep`, the tape has no gates, and only the last c.
    """
    x = in_direction(suffix, x, state.lengths)
    h = state.inputs["h0"][k]
    c = state.inputs["c0"][k]
    tape = Tape(x, [h], [c], [])
    of_i_and_f = slice(2 * h.shape[1])
    of_g = slice(2 * h.shape[1], 3 * h.shape[1])
    of_o = slice(3 * h.shape[1], None)
    from_x = x @ state.weights[f"weight_ih_{suffix}"].T
    if f"bias_ih_{suffix}" in state.weights:
        from_x += state.weights[f"bias_ih_{suffix}"] + state.weights[f"bias_hh_{suffix}"]
    recurrent = state.weights[f"weight_hh_{suffix}"].T
    if len(x) > 1:
        recurrent = recurrent.copy()
    lives = masks(len(x), state.lengths)
    for t in range(len(x)):
        z = from_x[t] + h @ recurrent
        z[:, of_i_and_f] = sigmoid(z[:, of_i_and_f])
        z[:, of_g] = np.tanh(z[:, of_g])
        z[:, of_o] = sigmoid(z[:, of_o])
        i, f, g, o = np.split(z, 4, axis=1)
        next_c = f * c + i * g
        next_h = o * np.tanh(next_c)
        if lives is not None:
            next_h = np.where(lives[t], next_h, h)
            next_c = np.where(lives[t], next_c, c)
        h = next_h
        c = next_c
        tape.h.append(h)
        if keep:
            tape.c.append(c)
            tape.gates.append(z)
    if not keep:
        tape.c[0] = c
    output = np.stack(tape.h[1:])
    if lives is not None:
        output *= lives
    return in_direction(suffix, output, state.lengths), tape


def layer_backward(state: State, k: int, suffix: str, d_output: Array, results: dict[str, Array]) -> Array:
    """Return the gradient of x (T, B, I) of one direction of one layer; put the others into the results.

    d_output (T, B, H) is the cotangent of its output.
    """
    tape = state.tapes[k]
    weight_hh = state.weights[f"weight_hh_{suffix}"]
    d_h = state.inputs["d_h_n"][k]
    d_c = state.inputs["d_c_n"][k]
    steps = np.empty((*d_output.shape[:2], 4 * d_h.shape[1]), d_h.dtype)
    lives = masks(len(steps), state.lengths)
    d_output = in_direction(suffix, d_output, state.lengths)
    if lives is not None:
        d_output = d_output * lives
    for t in reversed(range(len(steps))):
        i, f, g, o = np.split(tape.gates[t], 4, axis=1)
        tanh_c = np.tanh(tape.c[t + 1])
        d_h = d_h + d_output[t]
        d_here = d_c + d_h * o * (1 - tanh_c * tanh_c)
        d_i, d_f, d_g, d_o = np.split(steps[t], 4, axis=1)
        d_i[:] = d_here * g * i * (1 - i)
        d_f[:] = d_here * tape.c[t] * f * (1 - f)
        d_g[:] = d_here * i * (1 - g * g)
        d_o[:] = d_h * tanh_c * o * (1 - o)
        before_d_h = steps[t] @ weight_hh
        before_d_c = d_here * f
        if lives is not None:
            steps[t] *= lives[t]
            before_d_h = np.where(lives[t], before_d_h, d_h)
            before_d_c = np.where(lives[t], before_d_c, d_c)
        d_h = before_d_h
        d_c = before_d_c
    rows = steps.reshape(-1, steps.shape[2])
    results["grad_h0"][k] = d_h
    results["grad_c0"][k] = d_c
    results[f"grad_weight_ih_{suffix}"] = rows.T @ tape.x.reshape(len(rows), -1)
    results[f"grad_weight_hh_{suffix}"] = rows.T @ np.concatenate(tape.h[:-1])
    if f"bias_ih_{suffix}" in state.weights:
        bias = rows.sum(axis=0)
        results[f"grad_bias_ih_{suffix}"] = bias
        results[f"grad_bias_hh_{suffix}"] = bias
    return in_direction(suffix, steps @ state.weights[f"weight_ih_{suffix}"], state.lengths)


def run_forward(problem: Problem, state: State, x: Array, keep: bool) -> tuple[dict[str, Array], list[Tape]]:
    """Return output (T, B, D·H), h_n and c_n (L·D, B, H), and the tapes for `run_backward` where they are to `keep`."""
    tapes: list[Tape] = []
    outputs: list[Array] = []
    with np.errstate(over="ignore"):  # of exp, in sigmoid
        for k, (_, suffix, _) in enumerate(layers(problem)):
            output, tape = layer_forward(state, k, suffix, x, keep)
            tapes.append(tape)
            outputs.append(output)
            if len(outputs) == problem.directions:
                x = np.concatenate(outputs, axis=2)
                outputs = []
    h_n = np.stack([tape.h[-1] for tape in tapes])
    c_n = np.stack([tape.c[-1] for tape in tapes])
    return {"output": x, "h_n": h_n, "c_n": c_n}, tapes


def run_backward(problem: Problem, state: State) -> dict[str, Array]:
    """Return grad_NAME of every weight, of x (T, B, I), h0 and c0 (L·D, B, H), from the tapes."""
    results = {f"grad_{name}": np.empty_like(state.inputs[name]) for name in ("h0", "c0")}
    d_x: Any = state.inputs["d_output"]
    parts: list[Array] = []
    for k, (_, suffix, _) in reversed(list(enumerate(layers(problem)))):
        if not parts:  # the last direction of a layer
            parts = np.split(d_x, problem.directions, axis=2)
            d_x = 0
        d_x = d_x + layer_backward(state, k, suffix, parts.pop(), results)
    return {**results, "grad_x": d_x}


def blas() -> str | None:
    """Return NumPy's BLAS and the processor it takes this one for; None where that is not clear."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    if len(pools) > 1:  # such as SciPy's own
        pools = [pool for pool in pools if "numpy" in pool["filepath"]]
    if len(pools) != 1:
        return None
    return f"{pools[0]['internal_api']} {pools[0].get('architecture', '')}".strip()


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    own = {name: np.array(value, problem.dtype) for name, value in weights.items()}

    def load(inputs: Inputs) -> State:
        arrays = {name: np.array(value, problem.dtype) for name, value in inputs.arrays().items()}
        return State(own, arrays, None if problem.even else inputs.lengths)

    def forward(state: State) -> dict[str, Array]:
        return run_forward(problem, state, state.inputs["x"], keep=False)[0]

    def step(state: State) -> dict[str, Array]:
        at = state.calls % problem.seq_len
        results, _ = run_forward(problem, state, state.inputs["x"][at : at + 1], keep=False)
        state.inputs |= {"h0": results["h_n"], "c0": results["c_n"]}
        state.calls += 1
        return results

    def forward_train(state: State) -> dict[str, Array]:
        state.tapes = []  # their memory can be used again
        outputs, state.tapes = run_forward(problem, state, state.inputs["x"], keep=True)
        return outputs

    def backward(state: State) -> dict[str, Array]:
        return run_backward(problem, state)

    def train_step(state: State) -> dict[str, Array]:
        return {**forward_train(state), **backward(state)}

    def to_numpy(mode: str, result: Any) -> dict[str, Array]:
        return {name: np.array(value, np.float64) for name, value in result.items()}

    def kernel(mode: str, state: State) -> str | None:  # which does the products
        return blas()

    if workload == "stream":
        return Prepared(load, to_numpy, step, kernel=kernel)
    return Prepared(load, to_numpy, forward, forward_train, backward, train_step, kernel)
