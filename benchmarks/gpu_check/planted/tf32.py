"""Planted: torch_cell whose products get inputs with TF32's 10 bits. Its results must be refused.

The rounding is done by hand. TF32 itself can't be switched on here: the suite's variables forbid it to cuBLAS.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from impls import torch_cell
from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import CellLSTM, prepare_module

FRAMEWORK = "torch"
TRACK = "default"
DTYPES = ("float32",)
WORKLOADS = ("sequence",)


def rounded(tensor: Tensor) -> Tensor:
    """Return float32 numbers with 10 bits after the first; their gradient goes through unchanged."""
    bits = tensor.detach().contiguous().view(torch.int32)
    short = ((bits + 0x1000) & ~0x1FFF).view(torch.float32)
    return tensor + (short - tensor.detach())


class RoundedLinear(nn.Linear):
    """nn.Linear on rounded inputs and weights."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the product, from rounded numbers."""
        return functional.linear(rounded(x), rounded(self.weight), self.bias)


class RoundedCell(torch_cell.LSTMCell):
    """The cell, with such products."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool) -> None:
        super().__init__(input_size, hidden_size, bias)
        self.x2h = RoundedLinear(input_size, 4 * hidden_size, bias)
        self.h2h = RoundedLinear(hidden_size, 4 * hidden_size, bias)


class RoundedLSTM(CellLSTM):
    """A RoundedCell for each layer and direction."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, lambda width: RoundedCell(width, problem.hidden_size, problem.bias))


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    return prepare_module(problem, weights, device, workload, RoundedLSTM, torch_cell.own_name)
