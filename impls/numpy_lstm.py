"""A plain LSTM in NumPy, forward and backward by hand, with the input projection and the weight gradients batched.

How layers and directions are joined, and the batched products of the backward, are the reference's.
"""

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from impls.api import Array, Inputs, Prepared, Problem, Ran, Weights, added, longest
from impls.core import reference

FRAMEWORK = "numpy"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")
WORKLOADS = ("cell", "sequence", "stream")
VARIANTS = ("lengths",)
OPTIONAL = True


@dataclass
class Tape:
    """What a layer keeps for its backward: x (T, B, I); h and c, T + 1 arrays (B, H); the gates, T arrays (B, 4H).

    inside (T, B, 1) is false at the steps that are beyond a row's length.
    """

    x: Array
    inside: Array
    h: list[Array]
    c: list[Array]
    gates: list[Array]


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)). Where exp(-z) overflows, that is 0, as it should be."""
    return 1 / (1 + np.exp(-z))  # type: ignore[no-any-return]


def masks(inside: Array) -> list[Any]:
    """Return for each step which rows are within their length, shape (B, 1); None where all of all steps are."""
    return [None] * len(inside) if inside.all() else list(inside)


def layer_forward(
    x: Array, h: Array, c: Array, weight_ih: Array, weight_hh: Array, bias: Array, inside: Array, keep: bool = True
) -> tuple[Array, Tape]:
    """One direction of one layer: x (T, B, I), h and c (B, H) → output (T, B, H) and the tape.

    Without `keep`, the tape has no gates, and only the last c.
    """
    tape = Tape(x, inside, [h], [c], [])
    hidden = h.shape[1]
    recurrent = weight_hh.T if len(x) == 1 else np.ascontiguousarray(weight_hh.T)
    lives = masks(inside)
    for from_x, live in zip(x @ weight_ih.T + bias, lives, strict=True):
        z = from_x + h @ recurrent
        z[:, : 2 * hidden] = sigmoid(z[:, : 2 * hidden])
        z[:, 2 * hidden : 3 * hidden] = np.tanh(z[:, 2 * hidden : 3 * hidden])
        z[:, 3 * hidden :] = sigmoid(z[:, 3 * hidden :])
        i, f, g, o = np.split(z, 4, axis=1)
        next_c = f * c + i * g
        next_h = o * np.tanh(next_c)
        h, c = (next_h, next_c) if live is None else (np.where(live, next_h, h), np.where(live, next_c, c))
        tape.h.append(h)
        if keep:
            tape.c.append(c)
            tape.gates.append(z)
    if not keep:
        tape.c[0] = c
    output = np.stack(tape.h[1:])
    return output if lives[0] is None else output * inside, tape


def layer_backward(
    tape: Tape, d_output: Array, d_h: Array, d_c: Array, weight_ih: Array, weight_hh: Array
) -> dict[str, Array]:
    """Return the gradients of one direction of one layer, as reference.layer_backward does."""
    steps = np.empty((*d_output.shape[:2], 4 * d_h.shape[1]), d_h.dtype)
    lives = masks(tape.inside)
    for t in reversed(range(len(steps))):
        i, f, g, o = np.split(tape.gates[t], 4, axis=1)
        tanh_c = np.tanh(tape.c[t + 1])
        live = lives[t]
        d_h = d_h + (d_output[t] if live is None else d_output[t] * live)
        d_here = d_c + d_h * o * (1 - tanh_c * tanh_c)
        d_i, d_f, d_g, d_o = np.split(steps[t], 4, axis=1)
        d_i[:] = d_here * g * i * (1 - i)
        d_f[:] = d_here * tape.c[t] * f * (1 - f)
        d_g[:] = d_here * i * (1 - g * g)
        d_o[:] = d_h * tanh_c * o * (1 - o)
        if live is None:
            d_h, d_c = steps[t] @ weight_hh, d_here * f
        else:
            steps[t] *= live
            d_h, d_c = np.where(live, steps[t] @ weight_hh, d_h), np.where(live, d_here * f, d_c)
    return reference.batched_gradients(tape, steps, d_h, d_c, weight_ih)


@dataclass
class State:
    """Weights and inputs in the problem's dtype, lengths where there are any, what was kept, a stream's calls."""

    weights: dict[str, Array]
    inputs: dict[str, Array]
    lengths: Array | None = None
    tapes: list[Tape] = field(default_factory=list)
    calls: int = 0


def watching(events: list[tuple[str, Ran]]) -> type[Array]:
    """Return a class of arrays that write each ufunc on them to `events`, with its seconds: `array.view(watching(…))`.

    What a ufunc returns is watched too. So are a watched array's parts, and what `np.stack` and the like make of them.
    """

    def plain(value: Any) -> Any:  # a number stays one: as an array, it would turn float32 into float64
        return value.view(np.ndarray) if isinstance(value, Watched) else value

    class Watched(Array):
        def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
            arrays = [plain(value) for value in inputs]
            if "out" in options:
                options["out"] = tuple(map(plain, options["out"]))
            begin = time.perf_counter()
            result = getattr(ufunc, method)(*arrays, **options)
            events.append((ufunc.__name__, Ran(time.perf_counter() - begin, 1)))
            return np.asarray(result).view(Watched)

        def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
            result = super().__array_function__(function, types, arguments, options)
            return result.view(Watched) if isinstance(result, np.ndarray) else result

    return Watched


def blas() -> str | None:
    """Return NumPy's BLAS and the processor it takes this one for; None where that is not known."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    if len(pools) > 1:  # such as SciPy's own
        pools = [pool for pool in pools if "numpy" in pool["filepath"]]
    return f"{pools[0]['internal_api']} {pools[0].get('architecture', '')}".strip() if len(pools) == 1 else None


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    own = {name: np.array(value, problem.dtype) for name, value in weights.items()}

    def load(inputs: Inputs) -> State:
        names = ("x", "h0", "c0", "d_output", "d_h_n", "d_c_n")
        return State(own, {name: np.array(getattr(inputs, name), problem.dtype) for name in names}, inputs.lengths)

    def run(state: State, keep: bool) -> tuple[dict[str, Array], list[Tape]]:
        x, h0, c0 = (state.inputs[name] for name in ("x", "h0", "c0"))
        layer = partial(layer_forward, keep=keep)
        with np.errstate(over="ignore"):  # of exp, in sigmoid
            return reference.forward(problem, state.weights, x, h0, c0, state.lengths, layer=layer)

    def forward(state: State) -> dict[str, Array]:
        return run(state, keep=False)[0]

    def step(state: State) -> dict[str, Array]:
        x, at = state.inputs["x"], state.calls % problem.seq_len
        results, _ = run(replace(state, inputs=state.inputs | {"x": x[at : at + 1]}), keep=False)
        state.inputs |= {"h0": results["h_n"], "c0": results["c_n"]}
        state.calls += 1
        return results

    def forward_train(state: State) -> dict[str, Array]:
        state.tapes = []  # their memory can be used again
        outputs, state.tapes = run(state, keep=True)
        return outputs

    def backward(state: State) -> dict[str, Array]:
        d_output, d_h_n, d_c_n = (state.inputs[name] for name in ("d_output", "d_h_n", "d_c_n"))
        return reference.backward(problem, state.weights, state.tapes, d_output, d_h_n, d_c_n, layer=layer_backward)

    def train_step(state: State) -> dict[str, Array]:
        return {**forward_train(state), **backward(state)}

    def to_numpy(mode: str, result: Any) -> dict[str, Array]:
        return {name: np.array(value, np.float64) for name, value in result.items()}

    def kernel(mode: str, state: State) -> str:
        events: list[tuple[str, Ran]] = []
        kind = watching(events)

        def watched(arrays: dict[str, Array]) -> dict[str, Array]:
            return {name: array.view(kind) for name, array in arrays.items()}

        seen = State(watched(state.weights), watched(state.inputs), state.lengths)
        prepared.make_ready(mode, seen)
        events.clear()
        prepared.call(mode)(seen)
        library = blas()
        return longest(added(events)) + (f" ({library})" if library else "")

    prepared = Prepared(load, to_numpy, forward, forward_train, backward, train_step, kernel)
    if workload == "stream":
        prepared = Prepared(load, to_numpy, step, kernel=kernel)
    return prepared
