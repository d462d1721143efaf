"""Padded rows as a PackedSequence, and back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence


class Packing:
    """Where the rows of a padded batch are in a PackedSequence."""

    def __init__(self, x: Any, lengths: Any, batch_first: bool) -> None:
        """`x` is (T, B, I), or (B, T, I) where batch_first; `lengths` is a tensor or a list.

        Raises:
            ValueError: where they do not fit together.
        """
        if not isinstance(x, Tensor) or x.dim() != 3:
            raise ValueError("lengths go with a batch of sequences, such as (T, B, I)")
        steps, batch = (x.shape[1], x.shape[0]) if batch_first else x.shape[:2]
        lengths = torch.as_tensor(lengths, device="cpu")
        if lengths.shape != (batch,) or lengths.is_floating_point() or lengths.dtype == torch.bool:
            raise ValueError(f"lengths must be {batch} whole numbers, one for each row")
        if batch == 0 or int(lengths.min()) < 1 or int(lengths.max()) > steps:
            raise ValueError(f"lengths must be from 1 to the number of steps, {steps}")
        self.order = lengths.argsort(descending=True, stable=True)
        within = torch.arange(int(lengths.max()))[:, None] < lengths[self.order]
        self.rows = within.sum(1)
        step, row = within.nonzero(as_tuple=True)
        each = self.order[row]
        self.source = (each * steps + step if batch_first else step * batch + each).to(x.device)
        self.shape = x.shape[:2]

    def packed(self, x: Tensor) -> PackedSequence:
        """Return x as a PackedSequence."""
        data = x.flatten(0, 1).index_select(0, self.source)
        order = self.order.to(x.device)
        return PackedSequence(data, self.rows, order, order.argsort())

    def padded(self, output: PackedSequence) -> Tensor:
        """Return an output as a tensor, which is 0 beyond the lengths."""
        zeros = output.data.new_zeros(self.shape.numel(), output.data.shape[1])
        filled: Tensor = zeros.index_copy_(0, self.source, output.data)
        return filled.unflatten(0, self.shape)  # type: ignore[no-any-return, no-untyped-call]
