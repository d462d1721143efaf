"""The model around an LSTM of JAX: a linear layer on the last hidden state, the loss, and a step of training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from impls.api import ADAM_RATE, BETAS, EPSILON, LEARNING_RATE, MAX_NORM, Problem, Unsupported, input_shapes
from impls.families.layout import Layout, Params

LSTM = Callable[..., tuple[jax.Array, ...]]
"""(params, x (T, B, I), h0, c0 (L·D, B, H)) → output (T, B, D·H), h_n, c_n.

Where the problem has lengths (B,) or resets (T, B), they are one more argument; so too of a layer. In training with
dropout there is the keyword `drop`: a key, the share that is dropped, and the number of the call.
"""
Functions = tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]
"""What a mode jits: forward, forward with its pullback, and a step. They take parameters, inputs, and a tuple of
lengths or resets; the last two also what State.training returns, and the step cotangents too."""
Extra = tuple[jax.Array, ...]


def product(x: jax.Array, weight: jax.Array, dtype: Any) -> jax.Array:
    """Return x @ weight, computed in a dtype: under autocast in bfloat16, else in that of both."""
    return x.astype(dtype) @ weight.astype(dtype)


def optimizer_of() -> tuple[Any, Any]:
    """Return Optax's clipping and its Adam.

    Raises:
        Unsupported: where there is no Optax.
    """
    try:
        import optax
    except ImportError:
        raise Unsupported("no Optax, whose Adam it trains with") from None
    return optax.clip_by_global_norm(MAX_NORM), optax.adam(ADAM_RATE, *BETAS, eps=EPSILON)


def model_of(problem: Problem, lstm: LSTM, layout: Layout, optimizer: tuple[Any, Any] | None) -> Functions:
    """Return what the modes of the model jit. A step is plain SGD, or that of `optimizer_of`."""

    narrow = jnp.bfloat16 if problem.dtype == "autocast" else problem.stored

    def predict(params: Params, inputs: tuple[jax.Array, ...], extra: Extra, **training: Any) -> jax.Array:
        x, sizes = inputs[0], input_shapes(problem)
        zeros = (jnp.zeros(sizes[name], x.dtype) for name in ("h0", "c0"))
        _, h_n, _ = lstm(params["lstm"], x, *zeros, *extra, **training)
        last = jnp.concatenate(list(h_n[-problem.directions :]), axis=1)
        return product(last, params["fc"]["fc.weight"].T, narrow) + params["fc"]["fc.bias"]  # type: ignore[no-any-return]

    def loss_of(params: Params, inputs: tuple[jax.Array, ...], extra: Extra, training: dict[str, Any]) -> Any:
        prediction = predict(params, inputs, extra, **training)
        return jnp.mean((prediction - inputs[1]) ** 2), prediction

    def run_vjp(params: Params, *given: Any) -> Any:
        loss, pullback, prediction = jax.vjp(lambda p: loss_of(p, *given), params, has_aux=True)
        return (loss, prediction), pullback

    def step(*given: Any) -> Any:
        (loss, _), grads = jax.value_and_grad(loss_of, has_aux=True)(*given[:-1])
        params, kept = given[0], given[-1]
        rates = layout.rates(params)
        if optimizer is None:
            return loss, jax.tree.map(lambda p, g, rate: p - LEARNING_RATE * rate * g, params, grads, rates)
        clip, adam = optimizer
        # a single bias counts twice in the norm, and moves by what both biases move
        counted = jax.tree.map(lambda g, rate: g * rate**0.5, grads, rates)
        clipped, _ = clip.update(counted, ())
        moves, kept = adam.update(jax.tree.map(lambda g, rate: g / rate**0.5, clipped, rates), kept)
        return loss, jax.tree.map(lambda p, move, rate: p + rate * move, params, moves, rates), kept

    return predict, run_vjp, step
