"""equinox.nn.LSTMCell under vmap over the batch, in a lax.scan."""

from typing import Any

import equinox as eqx
import jax

from impls.api import Prepared, Problem, Weights, layers
from impls.families.jax import SingleBias, layered, prepare_function, scan

FRAMEWORK = "equinox"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16")
VARIANTS = ("lengths", "batch_first", "dropout", "resets")
REQUIRES = ("equinox>=0.11", "jax>=0.8")

LAYOUT = SingleBias("weight_ih", "weight_hh", transposed=False)
Carry = tuple[jax.Array, jax.Array]


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    key = jax.random.key(0)
    cells = {
        suffix: eqx.nn.LSTMCell(width, problem.hidden_size, use_bias=problem.bias, key=key)
        for _, suffix, width in layers(problem)
    }

    def layer(
        params: Any, suffix: str, x: jax.Array, h: jax.Array, c: jax.Array, *extra: jax.Array
    ) -> tuple[jax.Array, ...]:
        own = params[suffix]
        cell = eqx.tree_at(lambda cell: [getattr(cell, name) for name in own], cells[suffix], list(own.values()))

        def step(carry: Carry, x_t: jax.Array) -> tuple[Carry, jax.Array]:
            carry = jax.vmap(cell)(x_t, carry)
            return carry, carry[0]

        (h, c), output = scan(step, (h, c), x, *extra)
        return output, h, c

    return prepare_function(problem, weights, device, workload, layered(problem, layer), LAYOUT)
