"""haiku.LSTM by haiku.dynamic_unroll, as Haiku's documentation writes it.

It has one matrix for [x, h], the gates in the order i, g, f, o, and a single bias, to which it adds 1 for the forget
gate. That 1 is taken away before each call. It has no switch for the bias: for a problem without bias, the bias is no
parameter.
"""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from impls.api import Array, Prepared, Problem, Weights
from impls.families.jax import Layout, SingleBias, layered, prepare_function

FRAMEWORK = "dm-haiku"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16")
VARIANTS = ("batch_first", "dropout")
REQUIRES = ("dm-haiku>=0.0.13", "jax>=0.8")

GATES = (0, 2, 1, 3)
"""The index in i, f, g, o of each of Haiku's gates, and the other way round."""
JOINED = SingleBias("x", "h")
Params = dict[str, dict[str, Any]]
"""Suffix → w (I + H, 4H) and, where the problem has it, b (4H,)."""


def reordered(array: Array) -> Array:
    """Reorder the gates on the last axis."""
    gates = np.split(array, 4, axis=-1)
    return np.concatenate([gates[gate] for gate in GATES], axis=-1)


class HaikuLayout(Layout):
    """Haiku's own parameters: one matrix for [x, h], the gates in its order, and a single bias."""

    single_bias = "b"

    def encode(self, weights: Weights) -> Params:
        """Canonical weights → Haiku's."""
        params: Params = {}
        for suffix, own in JOINED.encode(weights).items():
            params[suffix] = {"w": reordered(np.concatenate([own["x"], own["h"]]))}
            if "bias" in own:
                params[suffix]["b"] = reordered(own["bias"])
        return params

    def decode(self, params: Params) -> dict[str, Array]:
        """Haiku's parameters, or gradients in their layout → canonical arrays."""
        parts: dict[str, dict[str, Any]] = {}
        for suffix, own in params.items():
            w = reordered(np.asarray(own["w"]))
            hidden = w.shape[1] // 4
            parts[suffix] = {"x": w[:-hidden], "h": w[-hidden:]}
            if "b" in own:
                parts[suffix]["bias"] = reordered(np.asarray(own["b"]))
        return JOINED.decode(parts)


LAYOUT = HaikuLayout()


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    hidden, dtype = problem.hidden_size, jnp.dtype(problem.dtype)
    forget_one = jnp.zeros(4 * hidden, dtype).at[2 * hidden : 3 * hidden].set(1)

    def unroll(x: jax.Array, h: jax.Array, c: jax.Array) -> Any:
        return hk.dynamic_unroll(hk.LSTM(hidden, name="lstm"), x, hk.LSTMState(h, c))

    transformed = hk.without_apply_rng(hk.transform(unroll))

    def layer(params: Params, suffix: str, x: jax.Array, h: jax.Array, c: jax.Array) -> tuple[jax.Array, ...]:
        own = params[suffix]
        linear = {"w": own["w"], "b": own.get("b", jnp.zeros(4 * hidden, dtype)) - forget_one}
        output, last = transformed.apply({"lstm/linear": linear}, x, h, c)
        return output, last.hidden, last.cell

    return prepare_function(problem, weights, device, workload, layered(problem, layer), LAYOUT)
