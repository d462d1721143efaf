"""A bidirectional LSTM on rows of different lengths: by lax.scan, then native_lstm.jax.lstm.

pip install ./impls/native, then: python docs/packed_lstm_jax.py
"""

import time

import jax
import jax.numpy as jnp
from native_lstm.jax import lstm

STEPS, BATCH, INPUT_SIZE, HIDDEN_SIZE, LAYERS = 64, 16, 128, 128, 2


def by_scan(weights, x, lengths):
    """Return the output of the same LSTM by lax.scan: a row keeps its state beyond its length."""
    inside = jnp.arange(len(x))[:, None, None] < lengths[:, None]
    zeros = jnp.zeros((x.shape[1], HIDDEN_SIZE))

    def direction(x, suffix):
        def step(carry, given):
            x_t, here = given
            h, c = carry
            z = x_t @ weights[f"weight_ih_{suffix}"].T + weights[f"bias_ih_{suffix}"]
            z += h @ weights[f"weight_hh_{suffix}"].T + weights[f"bias_hh_{suffix}"]
            i, f, g, o = jnp.split(z, 4, axis=1)
            new_c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            new_h = jax.nn.sigmoid(o) * jnp.tanh(new_c)
            carry = jnp.where(here, new_h, h), jnp.where(here, new_c, c)
            return carry, jnp.where(here, new_h, 0)

        return jax.lax.scan(step, (zeros, zeros), (x, inside), reverse=suffix.endswith("_reverse"))[
            1
        ]

    for layer in range(LAYERS):
        x = jnp.concatenate([direction(x, f"l{layer}"), direction(x, f"l{layer}_reverse")], axis=2)
    return x


def by_native(weights, x, lengths):
    """Return the output of the same LSTM by native_lstm."""
    return lstm(weights, x, lengths=lengths)[0]


def train(function, weights, x, lengths):
    """Return the seconds of a training step, the output, and the gradient of every weight."""

    def loss(weights):
        output = function(weights, x, lengths)
        return jnp.mean(output**2), output

    step = jax.jit(jax.value_and_grad(loss, has_aux=True))
    (_, output), gradients = jax.block_until_ready(step(weights))
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        jax.block_until_ready(step(weights))
        seconds.append(time.perf_counter() - start)
    return min(seconds), {"output": output, **gradients}


def drawn(seed, *shape):
    """Return random numbers as small as those that torch.nn.LSTM starts from."""
    bound = HIDDEN_SIZE**-0.5
    return jax.random.uniform(jax.random.key(seed), shape, minval=-bound, maxval=bound)


weights = {}
for layer in range(LAYERS):
    for suffix in (f"l{layer}", f"l{layer}_reverse"):
        width = INPUT_SIZE if layer == 0 else 2 * HIDDEN_SIZE
        weights[f"weight_ih_{suffix}"] = drawn(len(weights), 4 * HIDDEN_SIZE, width)
        weights[f"weight_hh_{suffix}"] = drawn(len(weights), 4 * HIDDEN_SIZE, HIDDEN_SIZE)
        weights[f"bias_ih_{suffix}"] = drawn(len(weights), 4 * HIDDEN_SIZE)
        weights[f"bias_hh_{suffix}"] = drawn(len(weights), 4 * HIDDEN_SIZE)
x = jax.random.normal(jax.random.key(99), (STEPS, BATCH, INPUT_SIZE))
lengths = jnp.arange(1, BATCH + 1) * STEPS // BATCH

seconds_of_scan, want = train(by_scan, weights, x, lengths)
seconds_of_native, got = train(by_native, weights, x, lengths)
for name, array in want.items():
    error = jnp.abs(got[name] - array).max() / jnp.abs(array).max()
    assert error < 4e-5, f"{name} differs by {error}"
print(
    f"{len(want)} arrays agree. lax.scan: {seconds_of_scan:.4f} s, native_lstm.jax: {seconds_of_native:.4f} s"
)
