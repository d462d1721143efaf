"""mlx.nn.LSTM, with gradients by mlx.core.vjp, on the CPU.

It is batch-major, so x and output are transposed. Its backward is part of vjp, which runs the forward too: there is no
mode for the backward alone.
"""

import functools
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn

from impls.api import Prepared, Problem, Weights, layers
from impls.families.layout import SingleBias
from impls.families.sequence import State, flat, gradients, prepare_sequence, unflat
from impls.families.stack import stack

FRAMEWORK = "mlx"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32",)
WORKLOADS = ("cell", "sequence")
REQUIRES = ("mlx[cpu]>=0.28",)

LAYOUT = SingleBias("Wx", "Wh", transposed=False)


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    mx.set_default_device(mx.cpu)
    modules = {suffix: nn.LSTM(width, problem.hidden_size, bias=problem.bias) for _, suffix, width in layers(problem)}
    like = LAYOUT.encode(weights)
    parameters = len(flat(like))

    joined = functools.partial(mx.concatenate, axis=2)

    def lstm(*leaves: Any) -> list[Any]:
        params = unflat(like, list(leaves[:parameters]))

        def layer(suffix: str, x: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
            modules[suffix].update(params[suffix])
            hidden, cell = modules[suffix](x.swapaxes(0, 1), h, c)  # each (B, T, H)
            return hidden.swapaxes(0, 1), hidden[:, -1], cell[:, -1]

        return [*stack(problem, layer, *leaves[parameters:], turned=lambda x: x[::-1], joined=joined, stacked=mx.stack)]

    def forward(state: State) -> tuple[Any, ...]:
        outputs = lstm(*state.leaves)
        mx.eval(outputs)
        return (outputs,)

    def train_step(state: State) -> tuple[Any, ...]:
        outputs, grads = mx.vjp(lstm, state.leaves, list(state.cotangents))
        mx.eval(outputs, grads)
        return outputs, gradients(state, grads)

    modes = {"forward": forward, "train_step": train_step}

    def kernel(mode: str, state: State) -> str | None:
        outputs = lstm(*state.leaves) if mode == "forward" else mx.vjp(lstm, state.leaves, list(state.cotangents))
        return products(outputs)

    return prepare_sequence(problem, weights, LAYOUT, mx.array, modes, kernel, np.array)


def products(outputs: Any) -> str | None:
    """Return the matrix products in the graph of arrays that are not evaluated yet. MLX has no profiler for the CPU."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.dot")
        mx.export_to_dot(str(path), outputs)
        names = re.findall(r'label ?= ?"(\w*[mM][mM]|Matmul)"', path.read_text(encoding="utf-8"))
    return ", ".join(f"{name} × {number}" for name, number in Counter(names).most_common()) or None
