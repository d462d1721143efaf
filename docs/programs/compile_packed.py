"""Compiled as one graph with allow_rnn, an nn.LSTM over packed sequences raises.

Fails with: torch>=2.9
Instead: leave nn.LSTM uncompiled (allow_rnn = False, the default).
Shows: torch_lstm_compiled -var
"""

import torch
from torch.nn.utils.rnn import pack_padded_sequence

torch._dynamo.config.allow_rnn = True
lstm = torch.nn.LSTM(4, 5)


@torch.compile(fullgraph=True)
def run(x, lengths):
    return lstm(pack_padded_sequence(x, lengths, enforce_sorted=False))[1]


run(torch.randn(6, 2, 4), torch.tensor([6, 3]))
