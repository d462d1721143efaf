"""What every Keras implementation shares: the stacked layers, and the names of Keras's parameters.

Keras's gate order i, f, c, o is torch's i, f, g, o under other names.
"""

from __future__ import annotations

from typing import Any

import keras

from impls.core.problem import Problem
from impls.families.single_bias import SingleBias

PARAMETERS = SingleBias("kernel", "recurrent_kernel")


def need_backend(name: str) -> None:
    """Check the backend of Keras.

    Raises:
        RuntimeError: where Keras was started with another backend.
    """
    if keras.config.backend() != name:
        raise RuntimeError(f"Keras runs on {keras.config.backend()}; set KERAS_BACKEND={name} before Python starts")


def make_layers(problem: Problem, activation: Any = "tanh") -> list[Any]:
    """Build one LSTM for each layer, in a Bidirectional where the problem has two directions. All weights are zero."""
    built = []
    for layer in range(problem.num_layers):
        lstm = keras.layers.LSTM(
            problem.hidden_size,
            activation=activation,
            use_bias=problem.bias,
            return_sequences=True,
            return_state=True,
            kernel_initializer="zeros",
            recurrent_initializer="zeros",
            unit_forget_bias=False,
            dtype=problem.dtype,
        )
        # without a dtype of its own, Bidirectional casts the outputs to float32
        whole = keras.layers.Bidirectional(lstm, dtype=problem.dtype) if problem.bidirectional else lstm
        width = problem.input_size if layer == 0 else problem.directions * problem.hidden_size
        whole.build((problem.batch, problem.seq_len, width))
        built.append(whole)
    return built


def trainable_names(layer: Any, number: int) -> list[tuple[str, str]]:
    """Return the suffix and name of each trainable variable, in Keras's order: forward direction, then backward."""
    if isinstance(layer, keras.layers.Bidirectional):
        parts = {f"l{number}": layer.forward_layer, f"l{number}_reverse": layer.backward_layer}
    else:
        parts = {f"l{number}": layer}
    return [(suffix, variable.name) for suffix, part in parts.items() for variable in part.trainable_variables]
