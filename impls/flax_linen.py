"""flax.linen: nn.RNN(nn.OptimizedLSTMCell), as Flax's documentation writes it.

Its carry is (c, h). It has a kernel (I, H) per gate and a single bias, which gets the sum of the two biases. It has no
switch for the bias: for a problem without bias, the bias is held at zero and is no parameter.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from impls.api import Array, Prepared, Problem, Weights, layers
from impls.families.jax import Layout, layered, prepare_function, zeroed

FRAMEWORK = "flax"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
VARIANTS = ("lengths", "batch_first", "dropout")

GATES = "ifgo"
Params = dict[str, dict[str, dict[str, Any]]]
"""Suffix → Flax's own parameters of that cell: ii, if, ig, io with a kernel; hi, hf, hg, ho with a bias too."""


class LinenLayout(Layout):
    """Flax's own parameters: a kernel (I, H) or (H, H) for each gate, and a single bias in parts."""

    single_bias = "bias"

    def encode(self, weights: Weights) -> Params:
        """Canonical weights → Flax's: each gate's rows, transposed, and the sum of the biases."""
        params: Params = {}
        for name, value in weights.items():
            kind, suffix = name.split("_l", 1)
            matrix = {"weight_ih": "i", "weight_hh": "h"}.get(kind, "h")
            for gate, part in zip(GATES, np.split(value, 4), strict=True):
                own = params.setdefault(f"l{suffix}", {}).setdefault(matrix + gate, {})
                if kind.startswith("weight"):
                    own["kernel"] = part.T
                else:
                    own["bias"] = own.get("bias", 0.0) + part
        return params

    def decode(self, params: Params) -> dict[str, Array]:
        """Flax's parameters → canonical arrays; the single bias is named bias_ih."""
        arrays = {}
        for suffix, own in params.items():
            arrays[f"weight_ih_{suffix}"] = np.concatenate([np.asarray(own["i" + g]["kernel"]).T for g in GATES])
            arrays[f"weight_hh_{suffix}"] = np.concatenate([np.asarray(own["h" + g]["kernel"]).T for g in GATES])
            if "bias" in own["hi"]:
                arrays[f"bias_ih_{suffix}"] = np.concatenate([np.asarray(own["h" + g]["bias"]) for g in GATES])
        return arrays


LAYOUT = LinenLayout()


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    dtype = jnp.dtype(problem.dtype)
    rnns = {
        suffix: nn.RNN(nn.OptimizedLSTMCell(problem.hidden_size, param_dtype=dtype), time_major=True, return_carry=True)
        for _, suffix, _ in layers(problem)
    }
    zero_bias = {"bias": jnp.zeros(problem.hidden_size, dtype)}

    def layer(
        params: Params, suffix: str, x: jax.Array, h: jax.Array, c: jax.Array, *lengths: jax.Array
    ) -> tuple[Any, ...]:
        own = params[suffix]
        if not problem.bias:
            own = {name: {**leaf, **zero_bias} if name[0] == "h" else leaf for name, leaf in own.items()}
        given: dict[str, Any] = {"seq_lengths": lengths[0]} if lengths else {}
        result: Any = rnns[suffix].apply({"params": {"cell": own}}, x, initial_carry=(c, h), **given)
        (c, h), output = result
        return zeroed(output, *lengths), h, c

    return prepare_function(problem, weights, device, workload, layered(problem, layer), LAYOUT)
