"""jax.experimental.rnn.lstm: cuDNN's LSTM, called from JAX. It needs a CUDA device.

It is batch-major, so x and output are transposed. Its weights are one flat array, which is put together inside the
jitted function: a parameter that is trained is canonical. Without a bias, zeros stand for it.
"""

import jax
import jax.numpy as jnp
from jax.experimental import rnn

from impls.api import IEEE, Prepared, Problem, Weights, current, layers
from impls.families.jax import prepare_function

FRAMEWORK = "jax"
TRACK = "tuned"
DEVICES = ("cuda",)
DTYPES = ("float32",)
OPTIONAL = True


def packed(problem: Problem, params: dict[str, jax.Array]) -> jax.Array:
    """Return cuDNN's flat weights: weight_ih and weight_hh of each direction of each layer, then its biases."""
    suffixes = [suffix for _, suffix, _ in layers(problem)]
    parts = [params[f"{kind}_{suffix}"] for suffix in suffixes for kind in ("weight_ih", "weight_hh")]
    if problem.bias:
        parts += [params[f"{kind}_{suffix}"] for suffix in suffixes for kind in ("bias_ih", "bias_hh")]
    else:
        parts.append(jnp.zeros(len(suffixes) * 2 * 4 * problem.hidden_size, parts[0].dtype))
    return jnp.concatenate([part.ravel() for part in parts])


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""

    def lstm(params: dict[str, jax.Array], x: jax.Array, h0: jax.Array, c0: jax.Array) -> tuple[jax.Array, ...]:
        output, h_n, c_n = rnn.lstm(
            jnp.swapaxes(x, 0, 1),
            h0,
            c0,
            packed(problem, params),
            jnp.full(x.shape[1], x.shape[0], jnp.int32),
            problem.input_size,
            problem.hidden_size,
            problem.num_layers,
            0.0,  # dropout
            problem.bidirectional,
            jax.lax.Precision.HIGHEST if current() == IEEE else jax.lax.Precision.HIGH,  # which is TF32
        )
        return jnp.swapaxes(output, 0, 1), h_n, c_n

    return prepare_function(problem, weights, device, workload, lstm)
