"""flax.nnx: nnx.RNN(nnx.OptimizedLSTMCell), as Flax's documentation writes it.

Its carry is (c, h), its kernels are (I, 4H), and it has one bias, which gets the sum of the two. It has no switch
for the bias: where a problem has none, the bias is held at zero and is no parameter.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Array, Weights, layers
from impls.families.jax import Layout, prepare_function, stack

FRAMEWORK = "flax"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64")

Params = dict[str, dict[str, Any]]
"""Suffix → dense_i (I, 4H), dense_h (H, 4H), and bias (4H,), which is dense_h's."""


def encode(weights: Weights) -> Params:
    """Canonical weights → NNX's: transposed, and the sum of the biases."""
    params: Params = {}
    for name, value in weights.items():
        kind, suffix = name.split("_l", 1)
        own = params.setdefault(f"l{suffix}", {})
        if kind.startswith("weight"):
            own["dense_i" if kind == "weight_ih" else "dense_h"] = value.T
        else:
            own["bias"] = own.get("bias", 0.0) + value
    return params


def decode(params: Params) -> dict[str, Array]:
    """NNX's parameters → canonical names, the one bias under bias_ih."""
    found = {}
    for suffix, own in params.items():
        found[f"weight_ih_{suffix}"] = np.asarray(own["dense_i"]).T
        found[f"weight_hh_{suffix}"] = np.asarray(own["dense_h"]).T
        if "bias" in own:
            found[f"bias_ih_{suffix}"] = np.asarray(own["bias"])
    return found


def rates(params: Params) -> Params:
    """The one bias stands for two, which both move."""
    return {suffix: {name: 2.0 if name == "bias" else 1.0 for name in own} for suffix, own in params.items()}


LAYOUT = Layout(encode, decode, rates)


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    dtype = jnp.dtype(problem.dtype)
    rnns: dict[str, Any] = {}
    for _, suffix, width in layers(problem):
        cell = nnx.OptimizedLSTMCell(width, problem.hidden_size, param_dtype=dtype, rngs=nnx.Rngs(0))
        rnns[suffix] = nnx.split(nnx.RNN(cell, time_major=True, return_carry=True), nnx.Param, ...)
    zero_bias = jnp.zeros(4 * problem.hidden_size, dtype)

    def lstm(params: Params, x: jax.Array, h0: jax.Array, c0: jax.Array) -> tuple[jax.Array, ...]:
        def layer(suffix: str, x: jax.Array, h: jax.Array, c: jax.Array) -> tuple[jax.Array, ...]:
            graphdef, _, rest = rnns[suffix]
            own = params[suffix]
            dense_h = {"kernel": nnx.Param(own["dense_h"]), "bias": nnx.Param(own.get("bias", zero_bias))}
            dense_i = {"kernel": nnx.Param(own["dense_i"])}
            rnn = nnx.merge(graphdef, nnx.State({"cell": {"dense_h": dense_h, "dense_i": dense_i}}), rest)
            (c, h), output = rnn(x, initial_carry=(c, h))
            return output, h, c

        return stack(problem, layer, x, h0, c0)

    return prepare_function(problem, weights, device, workload, lstm, LAYOUT)
