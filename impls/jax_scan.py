"""The cell under jit and lax.scan, as a JAX tutorial writes it: kernels are (I, 4H) and (H, 4H).

With torch.nn.LSTM's layout, XLA would transpose both kernels again in every step of the forward.
"""

import jax
import jax.numpy as jnp

from impls.families.jax import KERNELS, both_biases, of_layer, product, scan

FRAMEWORK = "jax"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast")
WORKLOADS = ("cell", "sequence", "model", "train", "stream")
VARIANTS = ("lengths", "proj_size", "batch_first", "dropout", "resets")


def layer(
    params: dict[str, jax.Array], suffix: str, x: jax.Array, h: jax.Array, c: jax.Array, *extra: jax.Array
) -> tuple[jax.Array, ...]:
    """One direction of one layer: x (T, B, ·), h (B, P) and c (B, H) → output (T, B, P), h, c."""
    kernel, recurrent = params[f"weight_ih_{suffix}"], params[f"weight_hh_{suffix}"]
    bias, projection = both_biases(params, suffix), params.get(f"weight_hr_{suffix}")

    def cell(carry: tuple[jax.Array, jax.Array], x_t: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        h, c = carry
        i, f, g, o = jnp.split(product(x_t, kernel, x.dtype) + product(h, recurrent, x.dtype) + bias, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        h = h if projection is None else product(h, projection, x.dtype).astype(h.dtype)
        return (h, c), h

    (h, c), output = scan(cell, (h, c), x, *extra)
    return output, h, c


prepare = of_layer(layer, KERNELS)
