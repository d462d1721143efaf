"""torch.nn.LSTM: cuDNN on a GPU; on the CPU oneDNN where it supports the problem, otherwise ATen's own loop."""

from __future__ import annotations

from torch import nn

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import prepare_module

FRAMEWORK = "torch"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64")


class LSTM(nn.LSTM):
    """nn.LSTM that takes h0 and c0 as arguments of their own and returns output, h_n, c_n flat."""

    def forward(self, x, h0, c0):  # type: ignore[no-untyped-def, override]
        output, (h_n, c_n) = super().forward(x, (h0, c0))
        return output, h_n, c_n


def build(problem: Problem) -> nn.Module:
    """Make the module of a problem, without weights."""
    return LSTM(
        problem.input_size,
        problem.hidden_size,
        problem.num_layers,
        bias=problem.bias,
        bidirectional=problem.bidirectional,
    )


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    return prepare_module(problem, weights, device, workload, build)
