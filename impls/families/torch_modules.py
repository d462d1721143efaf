"""Modules of PyTorch: torch.nn.LSTM, LSTMs with its parameters, a cell in a loop, the notebook's model.

Each LSTM takes x (T, B, I), h0 and c0 (L·D, B, H) and returns output (T, B, D·H), h_n and c_n. Where the problem has
lengths, they are one more argument, (B,); where it has resets, (T, B).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from impls.api import OUTPUT_SIZE, Problem, layers, shapes
from impls.families.stack import stack as stack_of


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


stack = functools.partial(stack_of, turned=turned, joined=functools.partial(torch.cat, dim=2), stacked=torch.stack)


class CanonicalLSTM(nn.Module):
    """An LSTM whose parameters have torch.nn.LSTM's names and shapes; a subclass computes one layer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem
        for name, shape in shapes(problem).items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))

    def weights(self, suffix: str) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Return weight_ih, weight_hh, bias_ih, bias_hh of a direction; biases may be None: see summed_bias."""
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return tuple(getattr(self, f"{kind}_{suffix}", None) for kind in kinds)  # type: ignore[return-value]

    def summed_bias(self, suffix: str) -> Tensor | None:
        """Return bias_ih + bias_hh (4H,) of one direction of one layer; None without a bias."""
        _, _, bias_ih, bias_hh = self.weights(suffix)
        return None if bias_ih is None or bias_hh is None else bias_ih + bias_hh

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One direction of one layer: x (T, B, ·), h and c (B, H) → output (T, B, H), h, c."""
        raise NotImplementedError

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor, *lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return stack(self.problem, self.layer, x, h0, c0, *lengths)


def loop(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None,
    bias_hh: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Do one direction of one layer step by step: x (T, B, I), h and c (B, H) → output (T, B, H), h, c."""
    outputs: list[Tensor] = []
    for x_t in x.unbind(0):
        gates = functional.linear(x_t, weight_ih, bias_ih) + functional.linear(h, weight_hh, bias_hh)
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs), h, c


class LoopedLSTM(CanonicalLSTM):
    """The custom cell in a loop, step by step."""

    loop = staticmethod(loop)

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See CanonicalLSTM."""
        return self.loop(x, h, c, *self.weights(suffix))


def steps(
    projected: tuple[Tensor, ...], h: Tensor, c: Tensor, recurrent: Tensor
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Do some time steps: projected inputs (B, 4H) each → every h, the last h and c."""
    outputs = []
    for z in projected:
        i, f, g, o = torch.addmm(z, h, recurrent).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return outputs, h, c


class HoistedLSTM(CanonicalLSTM):
    """The input projection of all time steps is one product; the loop keeps only what depends on h."""

    steps = staticmethod(steps)

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See CanonicalLSTM."""
        weight_ih, weight_hh, *_ = self.weights(suffix)
        bias = self.summed_bias(suffix)
        # contiguous: for few rows, MKL takes three times as long on a transposed view
        recurrent = weight_hh.t().contiguous()
        outputs, h, c = self.steps(functional.linear(x, weight_ih, bias).unbind(0), h, c, recurrent)
        return torch.stack(outputs), h, c


class FlatLSTM(nn.LSTM):
    """nn.LSTM that takes h0 and c0 as arguments of their own and returns output, h_n, c_n flat.

    Where there are lengths, it packs x, as PyTorch's documentation says. Where there are resets, it splits x at each
    step before which a row starts anew, as reinforcement learning does: nn.LSTM itself has no such thing.
    """

    run: Callable[..., Any] = nn.LSTM.forward
    """nn.LSTM's own forward; a subclass may compile it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(
            problem.input_size,
            problem.hidden_size,
            problem.num_layers,
            bias=problem.bias,
            batch_first=problem.batch_first,
            bidirectional=problem.bidirectional,
            proj_size=problem.proj_size,
        )
        self.resets = problem.resets

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor, *extra: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        time, order = int(self.batch_first), {"batch_first": self.batch_first}
        if self.resets:
            outputs, h, c, anew = [], h0, c0, extra[0].to(x.device)[:, :, None]
            cuts = sorted({0, *extra[0].any(1).nonzero().flatten().tolist()})
            for start, part in zip(cuts, x.tensor_split(cuts[1:], time), strict=True):
                kept = h.masked_fill(anew[start], 0.0), c.masked_fill(anew[start], 0.0)
                output, (h, c) = self.run(part, kept)
                outputs.append(output)
            return torch.cat(outputs, time), h, c
        if extra:
            packed = pack_padded_sequence(x, extra[0], enforce_sorted=False, **order)
            short, (h_n, c_n) = self.run(packed, (h0, c0))
            return pad_packed_sequence(short, total_length=x.shape[time], **order)[0], h_n, c_n
        output, (h_n, c_n) = self.run(x, (h0, c0))
        return output, h_n, c_n

    def quantize(self) -> None:
        """Have `run` compute with weights in int8, as PyTorch quantizes an nn.LSTM, but no subclass of it."""
        from torch.ao.quantization import quantize_dynamic

        order = self.input_size, self.hidden_size, self.num_layers, self.bias, self.batch_first, self.dropout
        plain = nn.LSTM(*order, self.bidirectional)
        plain.load_state_dict(self.state_dict())
        self.run = quantize_dynamic(nn.ModuleList([plain]), {nn.LSTM}, torch.qint8)[0].eval().forward


class CellLSTM(nn.Module):
    """A module for one step, such as nn.LSTMCell, in a Python loop: x (T, B, I) → output (T, B, D·H), h_n, c_n."""

    def __init__(self, problem: Problem, make_cell: Callable[[int], nn.Module]) -> None:
        """`make_cell` gets the width of a layer's input."""
        super().__init__()
        self.problem = problem
        self.dropout = 0.0
        self.cells = nn.ModuleDict({suffix: make_cell(width) for _, suffix, width in layers(problem)})

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor, *extra: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See CanonicalLSTM; at steps that are not within a row's length, the row keeps its state."""
        cell, outputs, resets = self.cells[suffix], [], self.problem.resets
        within = inside(x, *extra) if extra and not resets else None
        masks = extra[0].to(x.device)[:, :, None] if resets else within
        for x_t, mask in zip(x.unbind(0), [None] * len(x) if masks is None else masks.unbind(0), strict=True):
            if resets:
                h, c = h.masked_fill(mask, 0.0), c.masked_fill(mask, 0.0)  # type: ignore[arg-type]
            new_h, new_c = cell(x_t, (h, c))
            h, c = (new_h, new_c) if within is None else (torch.where(mask, new_h, h), torch.where(mask, new_c, c))  # type: ignore[arg-type]
            outputs.append(h)
        output = torch.stack(outputs)
        return output if within is None else output * within, h, c

    def step(self, x: Tensor, h: Sequence[Tensor], c: Sequence[Tensor]) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Do a step of a stream: x (B, I), an h and c (B, H) for each layer → output (B, H), each h, each c."""
        every_h, every_c = [], []
        for k, cell in enumerate(self.cells.values()):
            x, c_k = cell(x, (h[k], c[k]))
            every_h.append(x)
            every_c.append(c_k)
        return x, every_h, every_c

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor, *extra: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        def dropped(_: int, output: Tensor) -> Tensor:
            return functional.dropout(output, self.dropout, self.training)

        x = x.transpose(0, 1) if self.problem.batch_first else x
        output, h_n, c_n = stack(self.problem, self.layer, x, h0, c0, *extra, between=dropped)
        return output.transpose(0, 1) if self.problem.batch_first else output, h_n, c_n


class Model(nn.Module):
    """The notebook's model around any LSTM: a linear layer on the last hidden state, zero initial states."""

    def __init__(self, problem: Problem, lstm: nn.Module, output_size: int = OUTPUT_SIZE) -> None:
        super().__init__()
        self.problem = problem
        self.lstm = lstm
        self.fc = nn.Linear(problem.directions * problem.state_size, output_size)

    def forward(self, x: Tensor, *extra: Tensor) -> Tensor:
        """x (T, B, I), or (B, T, I) where the problem is batch_first → prediction (B, O)."""
        problem = self.problem
        rows = problem.num_layers * problem.directions, x.shape[0 if problem.batch_first else 1]
        h0, c0 = x.new_zeros(*rows, problem.state_size), x.new_zeros(*rows, problem.hidden_size)
        h_n = self.lstm(x, h0, c0, *extra)[1]
        return self.fc(torch.cat(tuple(h_n[-self.problem.directions :]), dim=1))  # type: ignore[no-any-return]
