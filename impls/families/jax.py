"""What every JAX implementation shares: loading, the four modes under jit, and the model around the LSTM.

An implementation brings a pure function lstm(params, x, h0, c0) → output (T, B, D·P), h_n, c_n, and a Layout
where its parameters differ from the canonical ones. Weights, inputs, and what dropout needs are arguments of every
jitted function: XLA would fold values that the function closes over into constants.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from impls.api import MODELS, MODES_OF, Array, Inputs, NoDevice, Prepare, Prepared, Problem, Weights, swapped
from impls.families.jax_model import LSTM, Extra, Functions, model_of, optimizer_of, product
from impls.families.layout import CANONICAL, KERNELS, Layout, Params, SingleBias
from impls.families.stack import stack

__all__ = ["KERNELS", "Layout", "SingleBias", "layered", "of_layer", "prepare_function", "product", "scan"]

Cell = Callable[[Any, jax.Array], tuple[Any, jax.Array]]
"""(carry, x_t (B, ·)) → the next carry, output (B, H): one step."""
Placement = Callable[[int | None], jax.Device | jax.sharding.Sharding]
"""The number of an array's batch axis (None without a batch axis) → where the array goes."""


def inside(x: jax.Array, lengths: jax.Array) -> jax.Array:
    """Return which steps of which rows of x (T, B, ·) are within their length, shape (T, B, 1)."""
    return (jnp.arange(len(x))[:, None] < lengths)[:, :, None]


def zeroed(output: jax.Array, *lengths: jax.Array) -> jax.Array:
    """Return an output (T, B, ·) which is zero beyond the rows' lengths, where there are any."""
    return jnp.where(inside(output, *lengths), output, 0) if lengths else output


def turned(x: jax.Array, *lengths: jax.Array) -> jax.Array:
    """Turn x (T, B, ·) round in time; with lengths, each row within its length."""
    if not lengths:
        return x[::-1]
    steps = jnp.arange(len(x))[:, None]
    source = jnp.where(steps < lengths[0], lengths[0] - 1 - steps, steps)
    return jnp.take_along_axis(x, source[:, :, None], axis=0)


def scan(cell: Cell, carry: Any, x: jax.Array, *extra: jax.Array, unroll: int = 1) -> tuple[Any, jax.Array]:
    """Scan a cell over x (T, B, ·) by lax.scan.

    With lengths (B,), a row beyond its length keeps its carry, and its output is 0. With resets (T, B), a row's carry
    is zero before a step where they are true.
    """
    if not extra:
        return jax.lax.scan(cell, carry, x, unroll=unroll)  # type: ignore[no-any-return]

    def masked(carry: Any, given: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
        x_t, live = given
        new, output = cell(carry, x_t)
        return jax.tree.map(lambda after, before: jnp.where(live, after, before), new, carry), jnp.where(
            live, output, 0
        )

    def anew(carry: Any, given: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
        x_t, starts = given
        return cell(jax.tree.map(lambda before: jnp.where(starts, 0, before), carry), x_t)

    if extra[0].ndim == 2:
        return jax.lax.scan(anew, carry, (x, extra[0][:, :, None]), unroll=unroll)  # type: ignore[no-any-return]
    return jax.lax.scan(masked, carry, (x, inside(x, *extra)), unroll=unroll)  # type: ignore[no-any-return]


def dropped(drop: tuple[jax.Array, ...], layer: int, x: jax.Array) -> jax.Array:
    """Drop a share of x, others in each call and after each layer; what is left is as much larger."""
    key, share, call = drop
    kept = jax.random.bernoulli(jax.random.fold_in(jax.random.fold_in(key, call), layer), 1 - share, x.shape)
    return jnp.where(kept, x / (1 - share).astype(x.dtype), 0)


def layered(problem: Problem, layer: Callable[..., tuple[jax.Array, ...]]) -> LSTM:
    """Return the LSTM whose layers are layer(params, suffix, x (T, B, ·), h, c) → output (T, B, P), h, c."""
    axes = (1, 0, 2) if problem.batch_first else (0, 1, 2)

    def lstm(
        params: Params, x: jax.Array, h0: jax.Array, c0: jax.Array, *extra: jax.Array, drop: tuple[jax.Array, ...] = ()
    ) -> tuple[jax.Array, ...]:
        output, h_n, c_n = stack(
            problem,
            partial(layer, params),
            x.transpose(axes),
            h0,
            c0,
            *extra,
            turned=turned,
            joined=partial(jnp.concatenate, axis=2),
            stacked=jnp.stack,
            between=partial(dropped, drop) if drop else None,
        )
        return output.transpose(axes), h_n, c_n

    return lstm


def both_biases(params: dict[str, jax.Array], suffix: str) -> jax.Array | float:
    """Return bias_ih + bias_hh (4H,) of one direction of one layer; 0 without a bias."""
    if f"bias_ih_{suffix}" not in params:
        return 0.0
    return params[f"bias_ih_{suffix}"] + params[f"bias_hh_{suffix}"]


@dataclass
class State:
    """The parameters, inputs (for `model` x and target), cotangents, lengths or resets, and what was kept.

    `training` returns what a training mode is given by keyword. Of a stream, x comes from `steps`, again and again, and
    the other inputs are the h and c of the last call. Of `train`, the target comes from `steps`, and the cotangents are
    what Adam keeps.
    """

    params: Params
    inputs: tuple[jax.Array, ...]
    cotangents: Any
    extra: tuple[jax.Array, ...]
    training: Callable[[], dict[str, Any]]
    pullback: Any = None
    steps: Iterator[jax.Array] = field(default_factory=lambda: iter(()))


Modes = dict[str, Callable[[State], Any]]
Wait = Callable[[Any], Any]
"""A tree of arrays → the same, once they are there; or, to go on before they are, the same at once."""


def device_of(device: str) -> jax.Device:
    """Return the first device of a name.

    Raises:
        NoDevice: where JAX does not see it.
    """
    try:
        return jax.devices(device)[0]
    except RuntimeError as error:
        raise NoDevice(f"JAX sees no {device.upper()} device: {error}") from None


def prepare_function(
    problem: Problem,
    weights: Weights,
    device: str,
    workload: str,
    lstm: LSTM,
    layout: Layout = CANONICAL,
    placement: Placement | None = None,
) -> Prepared:
    """Return the Prepared of lstm(params, x, h0, c0). Arrays go to `device`, or where `placement` puts them.

    Raises:
        NoDevice: where JAX does not see the device.
    """
    first = device_of(device)
    target = placement or (lambda _: first)
    if problem.dtype == "float64" and not jax.config.read("jax_enable_x64"):
        raise RuntimeError("float64 needs JAX_ENABLE_X64=1 in the environment, before JAX starts")

    def put(tree: Any, batch_axis: int | None = None) -> Any:
        return jax.device_put(
            jax.tree.map(lambda leaf: np.asarray(leaf, jnp.dtype(problem.stored)), tree), target(batch_axis)
        )

    fc = {name: value for name, value in weights.items() if name.startswith("fc.")}
    encoded = {"lstm": layout.encode({name: value for name, value in weights.items() if name not in fc}), "fc": fc}

    def load(inputs: Inputs) -> State:
        extra = () if inputs.extra is None else (jax.device_put(inputs.extra, target(inputs.extra.ndim - 1)),)
        share = jax.device_put(np.float32(inputs.dropout), target(None))

        def training() -> dict[str, Any]:
            return {"drop": (key, share, np.uint32(next(calls)))} if problem.dropout else {}

        steps: Iterator[Any] = iter(())
        x, d_output = (swapped(problem, name, getattr(inputs, name)) for name in ("x", "d_output"))
        if is_model:
            params, steps = put(encoded), itertools.cycle([put(each, 0) for each in inputs.targets(workload)])
            kept = optimizer[1].init(params) if optimizer else put(np.ones(()))
            return State(params, (put(x, 1), next(steps)), kept, extra, training, steps=steps)
        arrays, cotangents = (x, inputs.h0, inputs.c0), (d_output, inputs.d_h_n, inputs.d_c_n)
        if workload == "stream":
            steps = itertools.cycle(put([x[t : t + 1] for t in range(len(x))], 1))
        return State(put(encoded["lstm"]), put(arrays, 1), put(cotangents, 1), extra, training, steps=steps)

    def to_numpy(mode: str, result: Any) -> dict[str, Array]:
        named = layout.results(workload, mode, _copied(result), weights)
        return {name: np.array(swapped(problem, name, value), np.float64) for name, value in named.items()}

    key = jax.device_put(jax.random.key(0), target(None)) if problem.dropout else None
    calls = itertools.count()
    is_model, optimizer = workload in MODELS, optimizer_of() if workload == "train" else None
    if workload == "stream":
        modes_of = _stream(lstm)
    else:
        modes_of = _modes(workload, *(model_of(problem, lstm, layout, optimizer) if is_model else _sequence(lstm)))
    submitted = modes_of(lambda tree: tree)
    return Prepared(load=load, to_numpy=to_numpy, submit=submitted.__getitem__, **modes_of(jax.block_until_ready))


def of_layer(layer: Callable[..., tuple[jax.Array, ...]], layout: Layout = CANONICAL) -> Prepare:
    """Return the `prepare` of the LSTM whose layers are as `layered` takes them, with parameters in a layout.

    Under autocast a layer gets x in bfloat16, and everything else in float32. It casts weights where it multiplies:
    a gradient that a scan adds up over all steps is then float32.
    """

    def autocast(params: Params, suffix: str, x: jax.Array, *given: jax.Array) -> tuple[jax.Array, ...]:
        return layer(params, suffix, x.astype(jnp.bfloat16), *given)

    def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
        own = autocast if problem.dtype == "autocast" else layer
        return prepare_function(problem, weights, device, workload, layered(problem, own), layout)

    return prepare


def _copied(tree: Any) -> Any:
    """Return a tree with copies of the arrays that NumPy cannot look at where they are.

    Such an array, on a GPU or on several devices, keeps what NumPy was given. To read it again would cost nothing, and
    the first reading would look like work that its function had left.
    """

    def copied(array: jax.Array) -> jax.Array:
        devices = array.sharding.device_set
        seen = len(devices) == 1 and next(iter(devices)).platform == "cpu"  # type: ignore[attr-defined]
        return array if seen else jnp.copy(array)

    return jax.tree.map(copied, tree)


def _sequence(lstm: LSTM) -> Functions:
    def run(params: Params, inputs: tuple[jax.Array, ...], extra: Extra) -> tuple[jax.Array, ...]:
        return lstm(params, *inputs, *extra)

    def run_vjp(params: Params, inputs: tuple[jax.Array, ...], extra: Extra, training: dict[str, Any]) -> Any:
        return jax.vjp(lambda params, *inputs: lstm(params, *inputs, *extra, **training), params, *inputs)

    def step(*given: Any) -> Any:
        result, pullback = run_vjp(*given[:-1])
        return result, pullback(given[-1])

    return run, run_vjp, step


def _stream(lstm: LSTM) -> Callable[[Wait], Modes]:
    run = jax.jit(lstm)

    def modes(wait: Wait) -> Modes:
        def forward(state: State) -> Any:
            state.inputs = wait(run(state.params, next(state.steps), *state.inputs[1:]))
            return (state.inputs,)

        return {"forward": forward}

    return modes


def _modes(workload: str, *functions: Callable[..., Any]) -> Callable[[Wait], Modes]:
    is_model = workload in MODELS
    run, run_vjp, step = map(jax.jit, functions)
    pull = jax.jit(lambda pullback, cotangents: pullback(cotangents))

    def modes(wait: Wait) -> Modes:
        def forward(state: State) -> Any:
            return (wait(run(state.params, state.inputs, state.extra)),)

        def forward_train(state: State) -> Any:
            state.pullback = None  # its memory can be used again
            result, state.pullback = wait(run_vjp(state.params, state.inputs, state.extra, state.training()))
            return result if is_model else (result,)

        def backward(state: State) -> Any:
            grads = wait(pull(state.pullback, state.cotangents))
            return grads if is_model else (grads,)

        def train_step(state: State) -> Any:
            result = wait(step(state.params, state.inputs, state.extra, state.training(), state.cotangents))
            if is_model:
                state.params = result[1]
            if workload == "train":
                state.cotangents, state.inputs = result[2], (state.inputs[0], next(state.steps))
            return result[:2]

        modes = {"forward": forward, "forward_train": forward_train, "backward": backward, "train_step": train_step}
        return {mode: modes[mode] for mode in MODES_OF[workload]}

    return modes
