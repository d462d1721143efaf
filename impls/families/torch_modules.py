"""Modules of PyTorch: layers, an LSTM with the parameters of torch.nn.LSTM, a cell in a loop, the notebook's model."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from impls.core.problem import Problem
from impls.core.weights import OUTPUT_SIZE, layers

Layer = Callable[..., tuple[Tensor, Tensor, Tensor]]
"""(suffix, x (T, B, ·), h (B, H), c (B, H)) → output (T, B, H), h, c: one direction of one layer.

Where the problem has lengths, they are one more argument, (B,).
"""


def inside(x: Tensor, lengths: Tensor) -> Tensor:
    """Return which steps of which rows of x (T, B, ·) are within their length, shape (T, B, 1)."""
    return (torch.arange(len(x), device=x.device)[:, None] < lengths.to(x.device))[:, :, None]


def turned(x: Tensor, *lengths: Tensor) -> Tensor:
    """Turn x (T, B, ·) round in time; with lengths, each row within its length."""
    if not lengths:
        return x.flip(0)
    steps = torch.arange(len(x), device=x.device)[:, None]
    last = lengths[0].to(x.device) - 1
    source = torch.where(steps <= last, last - steps, steps)
    return x.gather(0, source[:, :, None].expand_as(x))


def stack(
    problem: Problem, layer: Layer, x: Tensor, h0: Tensor, c0: Tensor, *lengths: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Run every layer and direction, and join their outputs as torch.nn.LSTM does."""
    last_h, last_c, outputs = [], [], []
    for k, (_, suffix, _) in enumerate(layers(problem)):
        reverse = suffix.endswith("_reverse")
        output, h, c = layer(suffix, turned(x, *lengths) if reverse else x, h0[k], c0[k], *lengths)
        outputs.append(turned(output, *lengths) if reverse else output)
        last_h.append(h)
        last_c.append(c)
        if len(outputs) == problem.directions:
            x = torch.cat(outputs, dim=2) if problem.bidirectional else outputs[0]
            outputs = []
    return x, torch.stack(last_h), torch.stack(last_c)


class CanonicalLSTM(nn.Module):
    """An LSTM whose parameters have torch.nn.LSTM's names and shapes; a subclass computes one layer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem
        gates = 4 * problem.hidden_size
        for _, suffix, width in layers(problem):
            self.register_parameter(f"weight_ih_{suffix}", nn.Parameter(torch.empty(gates, width)))
            self.register_parameter(f"weight_hh_{suffix}", nn.Parameter(torch.empty(gates, problem.hidden_size)))
            if problem.bias:
                self.register_parameter(f"bias_ih_{suffix}", nn.Parameter(torch.empty(gates)))
                self.register_parameter(f"bias_hh_{suffix}", nn.Parameter(torch.empty(gates)))

    def weights(self, suffix: str) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Return weight_ih, weight_hh, bias_ih, bias_hh of one direction of one layer; biases may be None."""
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return tuple(getattr(self, f"{kind}_{suffix}", None) for kind in kinds)  # type: ignore[return-value]

    def summed_bias(self, suffix: str) -> Tensor | None:
        """Return bias_ih + bias_hh (4H,) of one direction of one layer; None without a bias."""
        _, _, bias_ih, bias_hh = self.weights(suffix)
        return None if bias_ih is None or bias_hh is None else bias_ih + bias_hh

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One direction of one layer: x (T, B, ·), h and c (B, H) → output (T, B, H), h, c. See Layer."""
        raise NotImplementedError

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor, *lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return stack(self.problem, self.layer, x, h0, c0, *lengths)


class CellLSTM(nn.Module):
    """A module for one step, such as nn.LSTMCell, in a Python loop: x (T, B, I) → output (T, B, D·H), h_n, c_n."""

    def __init__(self, problem: Problem, make_cell: Callable[[int], nn.Module]) -> None:
        """`make_cell` gets the width of a layer's input."""
        super().__init__()
        self.problem = problem
        self.cells = nn.ModuleDict({suffix: make_cell(width) for _, suffix, width in layers(problem)})

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor, *lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if lengths:
            return self.masked(suffix, x, h, c, inside(x, *lengths))
        cell, outputs = self.cells[suffix], []
        for x_t in x.unbind(0):
            h, c = cell(x_t, (h, c))
            outputs.append(h)
        return torch.stack(outputs), h, c

    def masked(self, suffix: str, x: Tensor, h: Tensor, c: Tensor, within: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Do what `layer` does; at steps that are not within a row's length, the row keeps its state."""
        cell, outputs = self.cells[suffix], []
        for x_t, live in zip(x.unbind(0), within.unbind(0), strict=True):
            new_h, new_c = cell(x_t, (h, c))
            h, c = torch.where(live, new_h, h), torch.where(live, new_c, c)
            outputs.append(h)
        return torch.stack(outputs) * within, h, c

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor, *lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return stack(self.problem, self.layer, x, h0, c0, *lengths)


class Model(nn.Module):
    """The notebook's model around any LSTM: a linear layer on the last hidden state, zero initial states."""

    def __init__(self, problem: Problem, lstm: nn.Module) -> None:
        super().__init__()
        self.problem = problem
        self.lstm = lstm
        self.fc = nn.Linear(problem.directions * problem.hidden_size, OUTPUT_SIZE)

    def forward(self, x: Tensor, *lengths: Tensor) -> Tensor:
        """x (T, B, I) → prediction (B, O)."""
        states = self.problem.num_layers * self.problem.directions, x.shape[1], self.problem.hidden_size
        h_n = self.lstm(x, x.new_zeros(states), x.new_zeros(states), *lengths)[1]
        return self.fc(torch.cat(tuple(h_n[-self.problem.directions :]), dim=1))  # type: ignore[no-any-return]
