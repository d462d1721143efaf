"""jax.experimental.rnn.lstm raises on a CPU. https://github.com/jax-ml/jax/issues/15183

Fails with: jax>=0.4.31
Instead: jax.experimental.rnn.lstm_ref, with unpack_lstm_weights.
"""

import jax
import jax.numpy as jnp
from jax.experimental import rnn

x = jax.random.normal(jax.random.key(0), (2, 3, 4))
zeros = jnp.zeros((1, 2, 5))
lengths = jnp.array([3, 1])
weights = rnn.init_lstm_weight(jax.random.key(1), 4, 5, 1, False)
gradient = jax.grad(lambda w: rnn.lstm(x, zeros, zeros, w, lengths, 4, 5, 1, 0.0, False)[0].sum())(weights)
assert jnp.isfinite(gradient).all(), f"{jnp.isnan(gradient).sum()} gradients are NaN"
