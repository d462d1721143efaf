"""torch.nn.LSTMCell in a Python loop over time steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights, layers
from impls.families.torch import prepare_module, stack

FRAMEWORK = "torch"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64")


class LSTM(nn.Module):
    """Every layer and direction: x (T, B, I) → output (T, B, D·H), h_n and c_n (L·D, B, H)."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem
        self.cells = nn.ModuleDict(
            {s: nn.LSTMCell(width, problem.hidden_size, bias=problem.bias) for _, s, width in layers(problem)}
        )

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        cell, outputs = self.cells[suffix], []
        for x_t in x.unbind(0):
            h, c = cell(x_t, (h, c))
            outputs.append(h)
        return torch.stack(outputs), h, c

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return stack(self.problem, self.layer, x, h0, c0)


def names(problem: Problem) -> dict[str, str]:
    """Canonical names → this module's own."""
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return {f"{kind}_{suffix}": f"cells.{suffix}.{kind}" for _, suffix, _ in layers(problem) for kind in kinds}


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    return prepare_module(problem, weights, device, workload, LSTM, names(problem))
