"""flax.nnx: nnx.RNN(nnx.OptimizedLSTMCell), as Flax's documentation writes it.

Its carry is (c, h), and its bias belongs to dense_h. It has no switch for the bias: for a problem without bias, the
bias is held at zero and is no parameter.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from impls.api import Prepared, Problem, Weights, layers
from impls.families.jax import SingleBias, layered, prepare_function, zeroed

FRAMEWORK = "flax"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast")
WORKLOADS = ("cell", "sequence", "model", "train", "stream")
VARIANTS = ("lengths", "batch_first", "dropout")

LAYOUT = SingleBias("dense_i", "dense_h")


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    dtype = jnp.dtype(problem.stored)
    computed = jnp.bfloat16 if problem.dtype == "autocast" else None  # else that of the arrays
    rnns: dict[str, Any] = {}
    for _, suffix, width in layers(problem):
        # the weights are replaced, and the default initialisation cannot do bfloat16
        zeros = nnx.initializers.zeros_init()
        cell = nnx.OptimizedLSTMCell(
            width,
            problem.hidden_size,
            dtype=computed,
            param_dtype=dtype,
            recurrent_kernel_init=zeros,
            rngs=nnx.Rngs(0),
        )
        rnns[suffix] = nnx.split(nnx.RNN(cell, time_major=True, return_carry=True), nnx.Param, ...)
    zero_bias = jnp.zeros(4 * problem.hidden_size, dtype)

    def layer(
        params: Any, suffix: str, x: jax.Array, h: jax.Array, c: jax.Array, *lengths: jax.Array
    ) -> tuple[jax.Array, ...]:
        graphdef, _, rest = rnns[suffix]
        own = params[suffix]
        dense_h = {"kernel": nnx.Param(own["dense_h"]), "bias": nnx.Param(own.get("bias", zero_bias))}
        dense_i = {"kernel": nnx.Param(own["dense_i"])}
        rnn = nnx.merge(graphdef, nnx.State({"cell": {"dense_h": dense_h, "dense_i": dense_i}}), rest)
        (c, h), output = rnn(x, initial_carry=(c, h), **({"seq_lengths": lengths[0]} if lengths else {}))
        return zeroed(output, *lengths), h, c

    return prepare_function(problem, weights, device, workload, layered(problem, layer), LAYOUT)
