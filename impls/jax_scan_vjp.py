"""lax.scan with a custom_vjp: the backward scan does only what is sequential, weight gradients are batched."""

from __future__ import annotations

from functools import partial

import jax

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.jax import prepare_function, stack
from impls.families.jax_recurrence import layer

FRAMEWORK = "jax"
TRACK = "tuned"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64")


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""

    def lstm(params: dict[str, jax.Array], x: jax.Array, h0: jax.Array, c0: jax.Array) -> tuple[jax.Array, ...]:
        return stack(problem, partial(layer, params), x, h0, c0)

    return prepare_function(problem, weights, device, workload, lstm)
