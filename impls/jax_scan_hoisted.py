"""lax.scan with the input projection of all time steps hoisted out of the loop, into one product."""

import jax
import jax.numpy as jnp

from impls.families.jax import KERNELS, both_biases, of_layer, product, scan

FRAMEWORK = "jax"
TRACK = "tuned"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast")
VARIANTS = ("lengths", "proj_size", "batch_first", "dropout", "resets")
OPTIONAL = True

UNROLL = 1
"""Measured: a larger number is slower on the CPU. docs/decisions/0002-tuned-track.md."""


def layer(
    params: dict[str, jax.Array], suffix: str, x: jax.Array, h: jax.Array, c: jax.Array, *extra: jax.Array
) -> tuple[jax.Array, ...]:
    """One direction of one layer: x (T, B, ·), h (B, P) and c (B, H) → output (T, B, P), h, c."""
    recurrent, projection = params[f"weight_hh_{suffix}"], params.get(f"weight_hr_{suffix}")
    projected = product(x, params[f"weight_ih_{suffix}"], x.dtype) + both_biases(params, suffix)

    def cell(carry: tuple[jax.Array, jax.Array], z: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        h, c = carry
        i, f, g, o = jnp.split(z + product(h, recurrent, x.dtype), 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        h = h if projection is None else product(h, projection, x.dtype).astype(h.dtype)
        return (h, c), h

    (h, c), output = scan(cell, (h, c), projected, *extra, unroll=UNROLL)
    return output, h, c


prepare = of_layer(layer, KERNELS)
