"""keras.layers.LSTM on the JAX backend, called by stateless_call under jax.jit, as Keras's guide for JAX writes it.

Keras is batch-major. x and output are transposed inside the jitted function, which is part of using Keras. Each
direction of a layer is one lax.scan with x @ kernel inside it. Two directions are one keras.layers.Bidirectional.
In float64 the activation is jnp.tanh, since Keras's own tanh rounds float64 to float32 on JAX.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import keras

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.jax import Layout, prepare_function
from impls.families.keras import PARAMETERS, make_layers, need_backend, trainable_names
from impls.families.single_bias import Params

FRAMEWORK = "keras"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")
REQUIRES = ("keras>=3.12", "jax>=0.8")
ENVIRONMENT = {"KERAS_BACKEND": "jax"}

LAYOUT = Layout(PARAMETERS.encode, PARAMETERS.decode, PARAMETERS.rates)


# registered, since Bidirectional copies its layer by the names of what it holds
@keras.saving.register_keras_serializable(package="lstm_bench")  # type: ignore[untyped-decorator]
def tanh(x: jax.Array) -> jax.Array:
    """tanh that keeps float64."""
    return jnp.tanh(x)


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    need_backend("jax")
    stack = make_layers(problem, tanh if problem.dtype == "float64" else "tanh")
    names = [trainable_names(layer, number) for number, layer in enumerate(stack)]
    unused = [[variable.value for variable in layer.non_trainable_variables] for layer in stack]  # seeds of dropout

    def lstm(params: Params, x: jax.Array, h0: jax.Array, c0: jax.Array) -> tuple[jax.Array, ...]:
        output = jnp.swapaxes(x, 0, 1)
        initial = [state for pair in zip(h0, c0, strict=True) for state in pair]  # h, c of each direction in turn
        last: list[jax.Array] = []
        for number, layer in enumerate(stack):
            own = [params[suffix][name] for suffix, name in names[number]]
            given = initial[len(last) : len(last) + 2 * problem.directions]
            (output, *states), _ = layer.stateless_call(own, unused[number], output, initial_state=given)
            last += states
        return jnp.swapaxes(output, 0, 1), jnp.stack(last[::2]), jnp.stack(last[1::2])

    return prepare_function(problem, weights, device, workload, lstm, LAYOUT)
