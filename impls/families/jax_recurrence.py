"""A recurrence with a custom_vjp, for lax.scan: its backward scan does only what is sequential.

One product over T·B rows gives dW_hh. Without the custom_vjp, the transpose of lax.scan adds up dW_hh step by step: T
small matrix products and T passes over the whole matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from impls.families.jax import both_biases

Params = dict[str, jax.Array]
Carry = tuple[jax.Array, jax.Array]


def cell(recurrent: jax.Array, carry: Carry, z: jax.Array) -> tuple[Carry, Any]:
    """Do one step: projected input z (B, 4H), recurrent (H, 4H) → carry, and what the backward needs."""
    h, c = carry
    i, f, g, o = jnp.split(z + h @ recurrent, 4, axis=1)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    c = f * c + i * g
    h = o * jnp.tanh(c)
    return (h, c), (h, c, i, f, g, o)


def weight_gradient(d_z: jax.Array, h0: jax.Array, output: jax.Array) -> jax.Array:
    """Return the gradient of weight_hh (4H, H) by one product, from d_z (T, B, 4H), h0 (B, H) and output (T, B, H)."""
    return jnp.einsum("tbg,tbh->gh", d_z, jnp.concatenate([h0[None], output[:-1]]))


@jax.custom_vjp
def recurrence(z: jax.Array, h: jax.Array, c: jax.Array, weight_hh: jax.Array) -> tuple[jax.Array, ...]:
    """Projected inputs z (T, B, 4H), h and c (B, H), weight_hh (4H, H) → output (T, B, H), h, c."""

    def step(carry: Carry, z_t: jax.Array) -> tuple[Carry, jax.Array]:
        carry, kept = cell(weight_hh.T, carry, z_t)
        return carry, kept[0]

    (h, c), output = jax.lax.scan(step, (h, c), z)
    return output, h, c


def recurrence_fwd(z: jax.Array, h: jax.Array, c: jax.Array, weight_hh: jax.Array) -> tuple[Any, Any]:
    """Return what `recurrence` returns, and the residuals: all gates, all states, the first carry and weight_hh."""
    (last_h, last_c), kept = jax.lax.scan(partial(cell, weight_hh.T), (h, c), z)
    return (kept[0], last_h, last_c), (kept, h, c, weight_hh)


def recurrence_bwd(residuals: Any, cotangents: Any) -> tuple[jax.Array, ...]:
    """Return d_z (T, B, 4H), d_h and d_c (B, H), and d_weight_hh (4H, H), the last by one product."""
    (all_h, all_c, i, f, g, o), h, c, weight_hh = residuals
    d_output, d_h, d_c = cotangents
    previous_c = jnp.concatenate([c[None], all_c[:-1]])

    def step(carry: Carry, kept: Any) -> tuple[Carry, jax.Array]:
        d_h, d_c = carry
        d_out, i, f, g, o, c, previous = kept
        tanh_c = jnp.tanh(c)
        d_h = d_h + d_out
        d_c = d_c + d_h * o * (1 - tanh_c * tanh_c)
        d_z = jnp.concatenate(
            [d_c * g * i * (1 - i), d_c * previous * f * (1 - f), d_c * i * (1 - g * g), d_h * tanh_c * o * (1 - o)],
            axis=1,
        )
        return (d_z @ weight_hh, d_c * f), d_z

    (d_h, d_c), d_z = jax.lax.scan(step, (d_h, d_c), (d_output, i, f, g, o, all_c, previous_c), reverse=True)
    return d_z, d_h, d_c, weight_gradient(d_z, h, all_h)


recurrence.defvjp(recurrence_fwd, recurrence_bwd)


def layer_of(recurrence: Callable[..., tuple[jax.Array, ...]]) -> Callable[..., tuple[jax.Array, ...]]:
    """Return the layer, for `layered`, that projects its inputs in one product and then calls a recurrence."""

    def layer(params: Params, suffix: str, x: jax.Array, h: jax.Array, c: jax.Array) -> tuple[jax.Array, ...]:
        projected = x @ params[f"weight_ih_{suffix}"].T + both_biases(params, suffix)
        return recurrence(projected, h, c, params[f"weight_hh_{suffix}"])

    return layer


layer = layer_of(recurrence)
