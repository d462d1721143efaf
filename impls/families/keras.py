"""What every Keras implementation shares: the stacked layers, and the names of Keras's parameters.

Keras's gate order i, f, c, o is torch's i, f, g, o under other names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from impls.api import Problem
from impls.families.layout import Params, SingleBias

LAYOUT = SingleBias("kernel", "recurrent_kernel")


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


def make_lstm(problem: Problem, activation: Any = "tanh") -> Callable[..., tuple[Any, Any, Any]]:
    """Return lstm(params, x, h0, c0) → output (T, B, D·H), h_n, c_n, with parameters in LAYOUT.

    Keras is batch-major: x and output are transposed, which is part of using Keras, unless the problem is batch_first.
    """
    stack = make_layers(problem, activation)
    names = [trainable_names(layer, number) for number, layer in enumerate(stack)]
    unused = [[variable.value for variable in layer.non_trainable_variables] for layer in stack]  # seeds of dropout

    def lstm(params: Params, x: Any, h0: Any, c0: Any, *lengths: Any) -> tuple[Any, Any, Any]:
        output = x if problem.batch_first else keras.ops.swapaxes(x, 0, 1)
        masks = [keras.ops.arange(problem.seq_len) < keras.ops.expand_dims(length, 1) for length in lengths]  # (B, T)
        states = range(problem.num_layers * problem.directions)
        initial = [state[k] for k in states for state in (h0, c0)]  # h, c of each direction in turn
        last: list[Any] = []
        for number, layer in enumerate(stack):
            own = [params[suffix][name] for suffix, name in names[number]]
            given = initial[len(last) : len(last) + 2 * problem.directions]
            masked = {"mask": masks[0]} if masks else {}
            (output, *ends), _ = layer.stateless_call(own, unused[number], output, initial_state=given, **masked)
            last += ends
        if masks:  # beyond its length, Keras repeats a row's last output
            kept = keras.ops.expand_dims(masks[0], 2)
            output = keras.ops.where(kept, output, keras.ops.zeros_like(output))  # a plain 0 would give float32
        output = output if problem.batch_first else keras.ops.swapaxes(output, 0, 1)
        return output, keras.ops.stack(last[::2]), keras.ops.stack(last[1::2])

    return lstm


def trainable_names(layer: Any, number: int) -> list[tuple[str, str]]:
    """Return the suffix and name of each trainable variable, in Keras's order: forward direction, then backward."""
    if isinstance(layer, keras.layers.Bidirectional):
        parts = {f"l{number}": layer.forward_layer, f"l{number}_reverse": layer.backward_layer}
    else:
        parts = {f"l{number}": layer}
    return [(suffix, variable.name) for suffix, part in parts.items() for variable in part.trainable_variables]
