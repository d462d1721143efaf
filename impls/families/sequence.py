"""What implementations share that have the workloads cell and sequence, and parameters in a tree of dictionaries.

An implementation brings its modes. Each takes a State, and returns (outputs,), (gradients,) or both: outputs are
output, h_n and c_n; gradients are those of the parameters, in their tree, then those of x, h0 and c0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from impls.api import Array, Inputs, Prepared, Problem, Weights, swapped
from impls.families.layout import Layout, Params

Mode = Callable[["State"], tuple[Any, ...]]


@dataclass
class State:
    """Parameters, x, h0 and c0, the cotangents of the outputs, lengths where there are any, and what a mode kept."""

    params: Params
    inputs: tuple[Any, ...]
    cotangents: tuple[Any, ...]
    lengths: tuple[Any, ...] = ()
    kept: Any = None

    @property
    def leaves(self) -> list[Any]:
        """Every array that gets a gradient: the parameters in the order of their tree, then x, h0, c0."""
        return [*flat(self.params), *self.inputs]


def flat(params: Params) -> list[Any]:
    """Return the arrays of a tree of dictionaries."""
    return [leaf for value in params.values() for leaf in flat(value)] if isinstance(params, dict) else [params]


def unflat(like: Params, leaves: list[Any]) -> Params:
    """Return a tree like `like` with these arrays, which are taken from the start of the list."""
    if isinstance(like, dict):
        return {name: unflat(value, leaves) for name, value in like.items()}
    return leaves.pop(0)


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return a tree of dictionaries, lists and tuples with a function done on each of its leaves."""
    if isinstance(tree, dict):
        return {name: mapped(function, value) for name, value in tree.items()}
    return [mapped(function, value) for value in tree] if isinstance(tree, list | tuple) else function(tree)


def gradients(state: State, leaves: list[Any]) -> tuple[Any, ...]:
    """Return gradients in the order of state.leaves as a mode returns them."""
    rest = list(leaves)
    return unflat(state.params, rest), *rest


def prepare_sequence(
    problem: Problem,
    weights: Weights,
    layout: Layout,
    array: Callable[[Array], Any],
    modes: Mapping[str, Mode],
    kernel: Callable[[str, State], str | None],
    read: Callable[[Any], Array] = lambda value: value.numpy(),
) -> Prepared:
    """Return the Prepared of these modes.

    Args:
        layout: how the parameters are stored.
        array: a NumPy array of the problem's dtype → the framework's.
        modes: by name.
        kernel: as the contract has it.
        read: the framework's array → NumPy.
    """

    def own(value: Array) -> Any:
        return array(np.ascontiguousarray(value, problem.stored))

    def load(inputs: Inputs) -> State:
        x, *states, d_output, d_h_n, d_c_n = (
            own(swapped(problem, name, getattr(inputs, name)))
            for name in ("x", "h0", "c0", "d_output", "d_h_n", "d_c_n")
        )
        lengths = () if inputs.lengths is None else (array(inputs.lengths.astype(np.int32)),)
        return State(mapped(own, layout.encode(weights)), (x, *states), (d_output, d_h_n, d_c_n), lengths)

    def to_numpy(mode: str, result: Any) -> dict[str, Array]:
        named = layout.results("sequence", mode, mapped(read, result), weights)
        return {name: np.array(swapped(problem, name, value), np.float64) for name, value in named.items()}

    return Prepared(load=load, to_numpy=to_numpy, kernel=kernel, **modes)
