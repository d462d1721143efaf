"""lax.scan with a custom_vjp: the backward scan does only what is sequential, weight gradients are batched."""

from __future__ import annotations

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.jax import layered, prepare_function
from impls.families.jax_recurrence import layer

FRAMEWORK = "jax"
TRACK = "tuned"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    return prepare_function(problem, weights, device, workload, layered(problem, layer))
