"""What the implementations on torch.nn.LSTM share: the module with flat arguments."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from impls.core.problem import Problem


class FlatLSTM(nn.LSTM):
    """nn.LSTM that takes h0 and c0 as arguments of their own and returns output, h_n, c_n flat.

    Where there are lengths, it packs x, as PyTorch's documentation says.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(
            problem.input_size,
            problem.hidden_size,
            problem.num_layers,
            bias=problem.bias,
            bidirectional=problem.bidirectional,
        )

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor, *lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        if lengths:
            packed = pack_padded_sequence(x, lengths[0], enforce_sorted=False)
            short, (h_n, c_n) = super().forward(packed, (h0, c0))
            return pad_packed_sequence(short, total_length=len(x))[0], h_n, c_n
        output, (h_n, c_n) = super().forward(x, (h0, c0))
        return output, h_n, c_n
