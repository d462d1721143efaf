"""Whether the tensors of a call fit the module and each other: torch.nn.LSTM leaves much of that to its operator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn


def check(module: nn.LSTM, x: Tensor, rows: Tensor | None, states: Sequence[Tensor]) -> None:
    """Refuse x, batch_sizes and states that do not fit.

    Raises:
        RuntimeError: with the shape that it should be.
    """
    if x.dim() != (3 if rows is None else 2) or x.shape[-1] != module.input_size:
        raise RuntimeError(f"x has shape {tuple(x.shape)}; its last size must be {module.input_size}")
    if rows is not None:
        check_rows(rows, len(x))
        batch = int(rows[0])
    else:
        batch = x.shape[0 if module.batch_first else 1]
    number = module.num_layers * (2 if module.bidirectional else 1)
    wanted = [(number, batch, module.proj_size or module.hidden_size), (number, batch, module.hidden_size)]
    found = [tuple(state.shape) for state in states]
    if found != wanted:
        raise RuntimeError(f"h_0 and c_0 have shapes {found}; they must be {wanted}")


def check_rows(rows: Tensor, number: int) -> None:
    """Refuse what are no batch_sizes of a PackedSequence of so many rows: lstm.h would read beyond its end.

    Raises:
        RuntimeError: where they are not positive, grow, or add up to another number.
    """
    whole = rows.dtype == torch.int64 and rows.dim() == 1 and len(rows) > 0
    if not whole or int(rows[-1]) < 1 or int(rows.sum()) != number or bool((rows.diff() > 0).any()):
        raise RuntimeError(f"batch_sizes must be positive, must not grow, and must add up to {number}")


def checked_lengths(lengths: Any, x: Any, batch_first: bool) -> Tensor | None:
    """Return lengths as int32 (B,), or None of None.

    Raises:
        ValueError: where they are no whole numbers from 1 to the number of steps, one for each row of a batch.
    """
    if lengths is None:
        return None
    if not isinstance(x, Tensor) or x.dim() != 3:
        raise ValueError("lengths go with a batch of sequences, such as (T, B, I)")
    steps, batch = (x.shape[1], x.shape[0]) if batch_first else x.shape[:2]
    lengths = torch.as_tensor(lengths, device="cpu")
    if lengths.shape != (batch,) or lengths.dtype not in (torch.int64, torch.int32, torch.int16, torch.uint8):
        raise ValueError(f"lengths must be {batch} whole numbers, one for each row")
    if batch == 0 or int(lengths.min()) < 1 or int(lengths.max()) > steps:
        raise ValueError(f"lengths must be from 1 to the number of steps, {steps}")
    whole: Tensor = lengths.to(torch.int32)
    return whole.contiguous()


def misfit(module: nn.LSTM, weights: Sequence[Tensor]) -> str | None:
    """Return that a weight has another shape than the module's sizes say, or None."""
    if [tuple(weight.shape) for weight in weights] == list(shapes(module)):
        return None
    return "its weights have other shapes than its sizes say"


def shapes(module: nn.LSTM) -> Iterator[tuple[int, ...]]:
    """Yield the shapes of all weights, in the order of the module."""
    gates = 4 * module.hidden_size
    state = module.proj_size or module.hidden_size
    directions = 2 if module.bidirectional else 1
    for layer in range(module.num_layers):
        width = directions * state if layer else module.input_size
        for _ in range(directions):
            yield gates, width
            yield gates, state
            if module.bias:
                yield (gates,)
                yield (gates,)
            if module.proj_size:
                yield module.proj_size, module.hidden_size
