"""keras.layers.LSTM on the JAX backend, called by stateless_call under jax.jit, as Keras's guide for JAX writes it.

Keras is batch-major. x and output are transposed inside the jitted function, which is part of using Keras. Each
direction of a layer is one lax.scan with x @ kernel inside it. Two directions are one keras.layers.Bidirectional.
In float64 the activation is jnp.tanh, since Keras's own tanh rounds float64 to float32 on JAX.
"""

import jax
import jax.numpy as jnp
import keras

from impls.api import Prepared, Problem, Weights
from impls.families.jax import prepare_function
from impls.families.keras import LAYOUT, make_lstm

FRAMEWORK = "keras"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16")
VARIANTS = ("lengths", "batch_first")
REQUIRES = ("keras>=3.12", "jax>=0.8")
ENVIRONMENT = {"KERAS_BACKEND": "jax"}


# registered, since Bidirectional copies its layer by the names of what it holds
@keras.saving.register_keras_serializable(package="lstm_bench")  # type: ignore[untyped-decorator]
def tanh(x: jax.Array) -> jax.Array:
    """tanh that keeps float64."""
    return jnp.tanh(x)


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    lstm = make_lstm(problem, tanh if problem.dtype == "float64" else "tanh")
    return prepare_function(problem, weights, device, workload, lstm, LAYOUT)
