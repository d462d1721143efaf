"""mlx.nn.LSTM, with gradients by mlx.core.vjp, on the CPU.

It is batch-major, so x and output are transposed. Its backward is part of vjp, which runs the forward too: there is no
mode for the backward alone.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights, layers
from impls.families.layout import Layout
from impls.families.sequence import State, flat, gradients, prepare_sequence, unflat
from impls.families.single_bias import SingleBias

FRAMEWORK = "mlx"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32",)
WORKLOADS = ("cell", "sequence")
REQUIRES = ("mlx[cpu]>=0.28",)

PARAMETERS = SingleBias("Wx", "Wh", transposed=False)
LAYOUT = Layout(PARAMETERS.encode, PARAMETERS.decode, PARAMETERS.rates)


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    mx.set_default_device(mx.cpu)
    modules = {suffix: nn.LSTM(width, problem.hidden_size, bias=problem.bias) for _, suffix, width in layers(problem)}
    like = LAYOUT.encode(weights)
    parameters = len(flat(like))

    def lstm(*leaves: Any) -> list[Any]:
        params = unflat(like, list(leaves[:parameters]))
        x, h0, c0 = leaves[parameters:]
        h_n, c_n, outputs = [], [], []
        for k, (_, suffix, _) in enumerate(layers(problem)):
            turn = -1 if suffix.endswith("_reverse") else 1
            modules[suffix].update(params[suffix])
            hidden, cell = modules[suffix](x[::turn].swapaxes(0, 1), h0[k], c0[k])  # each (B, T, H)
            h_n.append(hidden[:, -1])
            c_n.append(cell[:, -1])
            outputs.append(hidden.swapaxes(0, 1)[::turn])
            if len(outputs) == problem.directions:
                x = mx.concatenate(outputs, axis=2) if problem.bidirectional else outputs[0]
                outputs = []
        return [x, mx.stack(h_n), mx.stack(c_n)]

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

    return prepare_sequence(problem, weights, LAYOUT, mx.array, np.array, modes, kernel)


def products(outputs: Any) -> str | None:
    """Return the matrix products in the graph of arrays that are not evaluated yet. MLX has no profiler for the CPU."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.dot")
        mx.export_to_dot(str(path), outputs)
        names = re.findall(r'label ?= ?"(\w*[mM][mM]|Matmul)"', path.read_text(encoding="utf-8"))
    return ", ".join(f"{name} × {number}" for name, number in Counter(names).most_common()) or None
