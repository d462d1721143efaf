"""An LSTM of JAX as it is deployed: exported by jax.export at its first call, written, read back, and then called.

Where the problem says so, the batch and the number of steps are symbolic in the program.
"""

from __future__ import annotations

from typing import Any

import jax
from jax import export

from impls.api import Prepared, Problem, Weights
from impls.families.jax import prepare_function
from impls.families.jax_model import LSTM
from impls.families.layout import CANONICAL, Layout


def prepare_exported(
    problem: Problem, weights: Weights, device: str, workload: str, lstm: LSTM, layout: Layout = CANONICAL
) -> Prepared:
    """Return the Prepared of what jax.export makes of lstm(params, x, h0, c0): one program to infer, one to train."""
    programs: dict[bool, export.Exported] = {}

    def program(*given: Any, **training: Any) -> tuple[jax.Array, ...]:
        mode = bool(training)
        if mode not in programs:
            made = export.export(jax.jit(lstm))(*shapes(problem, given), **shapes_of(training))
            programs[mode] = export.deserialize(made.serialize(vjp_order=1))
        results: tuple[jax.Array, ...] = programs[mode].call(*given, **training)
        return results

    return prepare_function(problem, weights, device, workload, program, layout)


def shapes_of(tree: Any) -> Any:
    """Return the shape and dtype of every array in a tree."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), tree)


def shapes(problem: Problem, given: tuple[Any, ...]) -> list[Any]:
    """Return the shapes of an LSTM's arguments, params, x, h0, c0 and lengths; what varies has a symbol."""
    seq_len, batch = export.symbolic_shape("seq_len, batch")
    params, x, *others = map(shapes_of, given)
    time, rows = (1, 0) if problem.batch_first else (0, 1)
    changes = {time: seq_len} if problem.any_length else {}
    of_batch = {rows: batch} if problem.any_batch else {}
    axes = [changes | of_batch]
    for other in others:
        at = 1 if len(other.shape) == 3 else 0
        axes.append({at: batch} if problem.any_batch else {})
    named = [_with_symbols(shape, symbols) for shape, symbols in zip([x, *others], axes, strict=True)]
    return [params, *named]


def _with_symbols(array: jax.ShapeDtypeStruct, symbols: dict[int, Any]) -> jax.ShapeDtypeStruct:
    """Return a shape with some of its axes replaced."""
    sizes = [symbols.get(axis, size) for axis, size in enumerate(array.shape)]
    return jax.ShapeDtypeStruct(sizes, array.dtype)
