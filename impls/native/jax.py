"""An LSTM for JAX on a CPU, by lstm.h through jax.ffi.

T, B, I, H, P, D, L: steps, batch, input size, hidden size, the width of h (that of a projection, or H), directions,
layers.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from . import compiling

SOURCE = Path(__file__).with_name("jax_lstm.cpp")
STORED = {"float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat"}
"""The dtypes, and what lstm.h calls them."""
KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
"""The weights of a direction, in the order of lstm.h."""
NAME = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh|weight_hr)_l(0|[1-9][0-9]*)(_reverse)?")

Array = jax.Array
Weights = Mapping[str, Any]
State = tuple[Any, Any]


def lstm(
    weights: Weights,
    x: Any,
    state: State | None = None,
    *,
    lengths: Any = None,
    resets: Any = None,
    batch_first: bool = False,
    dropout: Any = 0.0,
    key: Any = None,
) -> tuple[Array, tuple[Array, Array]]:
    """Return output and (h_n, c_n) of an LSTM, as torch.nn.LSTM with these weights does.

    It can be jitted, and differentiated once by jax.grad and jax.vjp. Under vmap it is called for one after the other.

    Args:
        weights: arrays by their names in torch.nn.LSTM's state_dict. They tell layers, directions, bias and projection.
        x: (T, B, I), or (B, T, I) where batch_first; float32, float64, float16 or bfloat16, as all other arrays.
        state: h0 (L·D, B, P) and c0 (L·D, B, H); zero where it is None.
        lengths: (B,) whole numbers from 1 to T: output beyond them is 0, and the states are those at them.
        resets: (T, B), or (B, T) where batch_first; bool: where a row's h and c are 0 before the step.
        batch_first: the order of the axes of x, output and resets.
        dropout: the share that is dropped between layers; only with a key.
        key: a key of jax.random, in training with dropout.

    Returns:
        output (T, B, D·P), or (B, T, D·P) where batch_first; h_n (L·D, B, P) and c_n (L·D, B, H).

    Raises:
        ValueError: for arrays that do not fit together.
        NotImplementedError: inside a shard_map that checks which arrays vary (check_vma): gradients would be wrong.
        RuntimeError: where there is no C++ compiler.
    """
    layers = layers_of({name: jnp.asarray(array) for name, array in weights.items() if array is not None})
    x = jnp.asarray(x)
    resets = None if resets is None else jnp.asarray(resets)
    if batch_first and x.ndim == 3:
        x = x.transpose(1, 0, 2)
        resets = None if resets is None else resets.swapaxes(0, -1)
    directions = len(layers[0])
    h0, c0 = zeros(layers, x) if state is None else map(jnp.asarray, state)
    check(layers, x, h0, c0, resets)
    lengths = None if lengths is None else checked_lengths(lengths, x)
    if not isinstance(dropout, jax.core.Tracer) and not 0 <= dropout <= 1:
        raise ValueError(f"dropout is {dropout}; it must be from 0 to 1")
    if resets is not None and (lengths is not None or directions == 2):
        raise ValueError("resets go with one direction, and with rows that are all of one length")
    last_h = []
    last_c = []
    for number, of_directions in enumerate(layers):
        own = slice(number * directions, (number + 1) * directions)
        x, h_n, c_n = run_layer(x, h0[own], c0[own], lengths, resets, of_directions)
        last_h.append(h_n)
        last_c.append(c_n)
        if key is not None and number + 1 < len(layers):
            kept = jax.random.bernoulli(jax.random.fold_in(key, number), 1 - dropout, x.shape)
            share = jnp.asarray(1 - dropout, x.dtype)
            x = jnp.where(kept, x / jnp.where(share == 0, 1, share), 0)
    output = x.transpose(1, 0, 2) if batch_first else x
    return output, (jnp.concatenate(last_h), jnp.concatenate(last_c))


class Direction(NamedTuple):
    """The weights of a direction of a layer, as torch.nn.LSTM has them."""

    weight_ih: Any  # (4H, I)
    weight_hh: Any  # (4H, P)
    bias_ih: Any = None  # (4H,)
    bias_hh: Any = None  # (4H,)
    weight_hr: Any = None  # (P, H)


def layers_of(weights: Weights) -> list[tuple[Direction, ...]]:
    """Return the directions of each layer.

    Raises:
        ValueError: for names that are not those of a torch.nn.LSTM.
    """
    named: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, array in weights.items():
        found = NAME.fullmatch(name)
        if found is None:
            raise ValueError(f"{name!r} is no weight of an LSTM, such as weight_ih_l0")
        named.setdefault((int(found[2]), found[3] is not None), {})[found[1]] = array
    directions = 2 if (0, True) in named else 1
    layers = len(named) // directions
    wanted = {(layer, bool(direction)) for layer in range(layers) for direction in range(directions)}
    kinds = {frozenset(each) for each in named.values()}
    if not named or set(named) != wanted or len(kinds) != 1:
        raise ValueError(f"weights of some layers or directions are missing: there are {', '.join(sorted(weights))}")
    (kind,) = kinds
    if not {"weight_ih", "weight_hh"} <= kind or ("bias_ih" in kind) != ("bias_hh" in kind):
        raise ValueError(f"a layer has only {', '.join(sorted(kind))}")
    for (layer, _), each in named.items():
        if each["weight_hh"].ndim != 2:
            raise ValueError(f"weight_hh_l{layer} has shape {each['weight_hh'].shape}; it must be (4H, P)")
    return [
        tuple(Direction(**named[layer, bool(direction)]) for direction in range(directions)) for layer in range(layers)
    ]


def zeros(layers: Sequence[Sequence[Direction]], x: Array) -> State:
    """Return states of zeros."""
    first = layers[0][0]
    rows = (len(layers) * len(layers[0]), x.shape[1] if x.ndim == 3 else 0)
    hidden = first.weight_hh.shape[0] // 4
    return jnp.zeros((*rows, first.weight_hh.shape[1]), x.dtype), jnp.zeros((*rows, hidden), x.dtype)


def check(layers: Sequence[Sequence[Direction]], x: Array, h0: Array, c0: Array, resets: Any) -> None:
    """Refuse what lstm.h would read beyond its end, or as something else.

    Raises:
        ValueError: with the name of what does not fit, and what it should be.
    """
    directions = len(layers[0])
    if x.ndim != 3 or 0 in x.shape:
        raise ValueError(f"x has shape {x.shape}; it must be a batch of sequences (T, B, I), and not empty")
    if x.dtype.name not in STORED:
        raise ValueError(f"x is {x.dtype}; it must be one of {', '.join(STORED)}")
    hidden = layers[0][0].weight_hh.shape[0] // 4
    state = layers[0][0].weight_hh.shape[1]
    rows = (len(layers) * directions, x.shape[1])
    wanted: list[tuple[str, Any, tuple[int, ...]]] = [("h0", h0, (*rows, state)), ("c0", c0, (*rows, hidden))]
    for number, of_directions in enumerate(layers):
        width = x.shape[2] if number == 0 else directions * state
        shapes = ((4 * hidden, width), (4 * hidden, state), (4 * hidden,), (4 * hidden,), (state, hidden))
        for direction, suffix in zip(of_directions, ("", "_reverse"), strict=False):
            for kind, array, shape in zip(KINDS, direction, shapes, strict=True):
                if array is not None:
                    wanted.append((f"{kind}_l{number}{suffix}", array, shape))
            if direction.weight_hr is None and state != hidden:
                raise ValueError(
                    f"weight_hh_l{number}{suffix} has {state} columns; without weight_hr it must have {hidden}"
                )
    for name, array, shape in wanted:
        if array.shape != shape or hidden == 0:
            raise ValueError(f"{name} has shape {array.shape}; it must be {shape}")
        if array.dtype != x.dtype:
            raise ValueError(f"{name} is {array.dtype} and x {x.dtype}; all must be of one dtype")
    if resets is not None and (resets.shape != x.shape[:2] or resets.dtype != bool):
        raise ValueError(f"resets must be bool, of shape {x.shape[:2]}")


def checked_lengths(lengths: Any, x: Array) -> Array:
    """Return lengths (B,) as int32; those that are traced are checked where they are known, by lstm.h.

    Raises:
        ValueError: where they are no whole numbers from 1 to T, one for each row.
    """
    if not isinstance(lengths, jax.Array):
        lengths = np.asarray(lengths)
    if lengths.shape != (x.shape[1],) or lengths.dtype.kind not in "iu":
        raise ValueError(f"lengths must be {x.shape[1]} whole numbers, one for each row")
    if not isinstance(lengths, jax.core.Tracer):
        known = np.asarray(lengths)
        if known.min() < 1 or known.max() > x.shape[0]:
            raise ValueError(f"lengths must be from 1 to the number of steps, {x.shape[0]}")
    return jnp.clip(jnp.asarray(lengths), 0, 2**31 - 1).astype(jnp.int32)


def threads() -> int:
    """Return OMP_NUM_THREADS where it is set, otherwise the number of processors that this process may use."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) > 0 else len(os.sched_getaffinity(0))


def options(dtype: str) -> tuple[str, str]:
    """Return the compiler's options for the library of a dtype."""
    return f"-DSTORED={STORED[dtype]}", f"-I{jax.ffi.include_dir()}"


@functools.cache
def register(dtype: str) -> None:
    """Compile the LSTM where that has not been done, and make it known to XLA."""
    library = ctypes.CDLL(str(compiling.build(SOURCE, *options(dtype))))
    for name in ("lstm_forward", "lstm_backward"):
        target = f"native_{name}_{dtype}"
        jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(getattr(library, name)), platform="cpu")


def call(name: str, sizes: Sequence[int], dtype: Any, arrays: Sequence[Any], shapes: Sequence[Any]) -> Sequence[Array]:
    """Call a function of lstm.h on arrays, in the order of its struct; None and the shape (0,) are those left out."""
    register(dtype.name)
    results = [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes]
    given = [jnp.zeros(0, dtype) if array is None else array for array in arrays]
    target = jax.ffi.ffi_call(f"native_lstm_{name}_{dtype.name}", results, vmap_method="sequential")
    return target(*given, threads=np.int32(threads()), sizes=np.array(sizes))  # type: ignore[no-any-return]


def sizes_of(x: Array, c0: Array, of_directions: Sequence[Direction]) -> list[int]:
    """Return the sizes of a layer, in the order of lstm.h."""
    weight_hr = of_directions[0].weight_hr
    return [*x.shape, c0.shape[2], 0 if weight_hr is None else weight_hr.shape[0], len(of_directions)]


def both(of_directions: Sequence[Sequence[Any]], each: int) -> list[Any]:
    """Return what each direction has in one list, with places for a second one where there is none."""
    flat = [array for direction in of_directions for array in direction]
    return flat + [None] * (2 * each - len(flat))


def forward(keep: bool, x: Any, h0: Any, c0: Any, lengths: Any, resets: Any, of_directions: Any) -> Sequence[Array]:
    """Return output (T, B, D·P), h_n, c_n, and what a backward needs: gates, every c, and h before its projection."""
    sizes = sizes_of(x, c0, of_directions)
    rows = (sizes[5], x.shape[0] * x.shape[1])
    hidden = sizes[3]
    kept: list[tuple[int, ...]] = [(0,)] * 3
    if keep:
        kept[:2] = [(*rows, 4 * hidden), (*rows, hidden)]
    if keep and sizes[4]:
        kept[2] = (*rows, hidden)
    made = [(*x.shape[:2], sizes[5] * h0.shape[2]), h0.shape, c0.shape]
    arrays = [lengths, resets, x, h0, c0, *both(of_directions, len(KINDS))]
    return call("forward", sizes, x.dtype, arrays, [*made, *kept])


@jax.custom_vjp
def layer(x: Any, h0: Any, c0: Any, lengths: Any, resets: Any, of_directions: Any) -> tuple[Array, ...]:
    """x (T, B, I), h0 (D, B, P), c0 (D, B, H), lengths, resets, weights → output (T, B, D·P), h_n, c_n."""
    return tuple(forward(False, x, h0, c0, lengths, resets, of_directions)[:3])


def layer_fwd(*given: Any) -> tuple[Any, Any]:
    """Return what `layer` returns, and the residuals."""
    values = jax.tree.map(lambda each: each.value, given)
    wanted = jax.tree.map(lambda each: each.perturbed, given)
    output, h_n, c_n, *kept = forward(True, *values)
    needs = (wanted[0] or None, wanted[1] or None, wanted[2] or None)
    return (output, h_n, c_n), (needs, values, output, kept)


def layer_bwd(residuals: Any, cotangents: Any) -> tuple[Any, ...]:
    """Return the gradients of everything that `layer` takes."""
    needs, (x, h0, c0, lengths, resets, of_directions), output, kept = residuals
    given = [None if isinstance(each, SymbolicZero) else each for each in cotangents]
    shapes = [array.shape if need else (0,) for need, array in zip(needs, (x, h0, c0), strict=True)]
    of_weights = [
        (0,) if array is None else array.shape
        for array in both([(w.weight_ih, w.weight_hh, w.bias_ih, w.weight_hr) for w in of_directions], 4)
    ]
    kept = [array if array.size else None for array in kept]
    arrays = [lengths, resets, *given, x, h0, c0, output, *kept, *both(of_directions, len(KINDS))]
    made = call("backward", sizes_of(x, c0, of_directions), x.dtype, arrays, [*shapes, *of_weights])
    d_inputs = [array if need else None for need, array in zip(needs, made[:3], strict=True)]
    d_directions = []
    for at, weights in enumerate(of_directions):
        weight_ih, weight_hh, bias, weight_hr = made[3 + 4 * at : 7 + 4 * at]
        has_bias = weights.bias_ih is not None
        d_bias = bias if has_bias else None
        d_hr = None if weights.weight_hr is None else weight_hr
        d_directions.append(Direction(weight_ih, weight_hh, d_bias, d_bias, d_hr))
    return (*d_inputs, None, None, tuple(d_directions))


layer.defvjp(layer_fwd, layer_bwd, symbolic_zeros=True)


def varies(arrays: Any) -> bool:
    """Return whether a shard_map says of any of the arrays that it differs between devices."""
    kinds = [jax.typeof(array) for array in jax.tree.leaves(arrays)]
    return any(getattr(getattr(kind, "mat", kind), "varying", getattr(kind, "vma", ())) for kind in kinds)


def run_layer(x: Any, h0: Any, c0: Any, lengths: Any, resets: Any, of_directions: Any) -> tuple[Array, ...]:
    """Do a layer, whose arrays fit together.

    Raises:
        NotImplementedError: where a shard_map checks which arrays vary: it takes what ffi_call returns as not varying.
    """
    given = (x, h0, c0, lengths, resets, tuple(of_directions))
    if varies(given):
        raise NotImplementedError("native_lstm.jax in a shard_map needs check_vma=False")
    return layer(*given)  # type: ignore[no-any-return]
