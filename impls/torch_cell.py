"""The notebook's LSTMCell and LSTMModel with their faults fixed: a Python loop over time steps.

tests/impls/test_notebook.py has a test of each fix. reset_parameters calls self.parameters(). Gates keep their batch
axis when batch is 1. LSTMModel builds every layer, passes bias on, keeps the batch and hidden axes of the last output,
and takes device and dtype from its input. torch.sigmoid and torch.tanh replace Variable, F.sigmoid and F.tanh.
"""

import math

import torch
from torch import Tensor, nn

from impls.api import Problem
from impls.families.torch import CellLSTM, Model, of_module

FRAMEWORK = "torch"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast")
WORKLOADS = ("cell", "sequence", "model", "train", "stream")
VARIANTS = ("lengths", "batch_first", "dropout", "resets")


class LSTMCell(nn.Module):
    """One time step: x (B, I) and hidden = (h, c), each (B, H) → the next (h, c)."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self.x2h = nn.Linear(input_size, 4 * hidden_size, bias=bias)
        self.h2h = nn.Linear(hidden_size, 4 * hidden_size, bias=bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw every weight and bias from the uniform distribution on ±1/√H."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor, hidden: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        hx, cx = hidden
        gates = self.x2h(x) + self.h2h(hx)
        ingate, forgetgate, cellgate, outgate = gates.chunk(4, 1)
        ingate = torch.sigmoid(ingate)
        forgetgate = torch.sigmoid(forgetgate)
        cellgate = torch.tanh(cellgate)
        outgate = torch.sigmoid(outgate)
        cy = cx * forgetgate + ingate * cellgate
        hy = outgate * torch.tanh(cy)
        return hy, cy


class LSTM(CellLSTM):
    """An LSTMCell for each layer and direction: x (T, B, I) → output (T, B, D·H), h_n, c_n."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, lambda width: LSTMCell(width, problem.hidden_size, problem.bias))


class LSTMModel(Model):
    """LSTM layers, then a linear layer on the last hidden state: x (B, T, input_dim) → (B, output_dim).

    The workload `model` is the same on a time-major x.
    """

    def __init__(
        self,
        input_dim: int,
        hidden_dim: int,
        layer_dim: int,
        output_dim: int,
        bias: bool = True,
        bidirectional: bool = False,
    ) -> None:
        problem = Problem(1, 1, input_dim, hidden_dim, layer_dim, bidirectional, bias)
        super().__init__(problem, LSTM(problem), output_dim)

    def forward(self, x: Tensor, *lengths: Tensor) -> Tensor:
        return super().forward(x.transpose(0, 1), *lengths)


def own_name(name: str) -> str:
    """Return LSTM's name of a parameter: x2h holds weight_ih and bias_ih, h2h holds weight_hh and bias_hh."""
    kind, of, suffix = name.split("_", 2)
    return f"cells.{suffix}.{'x2h' if of == 'ih' else 'h2h'}.{kind}"


prepare = of_module(LSTM, names=own_name)
