"""FlashRNN's LSTM by one of its two backends that need no GPU; the others are CUDA and Triton kernels.

FlashRNN does not multiply the inputs by their weights: PyTorch does, for all steps at once. One head is an LSTM.
"""

from __future__ import annotations

import torch
from flashrnn import FlashRNNConfig, flashrnn
from torch import Tensor
from torch.nn import functional

from impls.api import Problem
from impls.families.torch import CanonicalLSTM


class FlashRNN(CanonicalLSTM):
    """FlashRNN's gates i, f, z and o are torch.nn.LSTM's i, f, g and o."""

    def __init__(self, problem: Problem, backend: str) -> None:
        super().__init__(problem)
        self.backend = backend

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See CanonicalLSTM."""
        weight_ih, weight_hh, *_ = self.weights(suffix)
        hidden = h.shape[-1]
        bias = self.summed_bias(suffix)
        if bias is None:
            bias = x.new_zeros(4 * hidden)
        # in FlashRNN's letters: time, batch, gates, heads, D and P hidden size, and S, the two states
        config = FlashRNNConfig(
            backend=self.backend,
            head_dim=hidden,
            num_heads=1,
            batch_size=x.shape[1],
            dtype=str(x.dtype).removeprefix("torch."),
            input_shape="TBGHD",
            recurrent_shape="GHDP",
            bias_shape="GHD",
            output_shape="STBHD",
        )
        states, last = flashrnn(
            functional.linear(x, weight_ih).unflatten(-1, (4, 1, hidden)),
            weight_hh.view(4, 1, hidden, hidden),
            bias.view(4, 1, hidden),
            torch.stack((h, c))[:, None, :, None],
            config=config,
        )
        h_n, c_n = last[:, 0, :, 0]
        return states[0, :, :, 0], h_n, c_n
