"""torch.export refuses an nn.LSTM over packed sequences. https://github.com/pytorch/pytorch/issues/171978

Fails with: torch>=2.9
Instead: torch.jit.trace.
Shows: torch_lstm_exported -var, torch_lstm_aoti -var, torch_lstm_onnx -var, torch_lstm_exported@AVX2 -var
"""

import torch
from torch.nn.utils.rnn import pack_padded_sequence


class Model(torch.nn.Sequential):
    def forward(self, x, lengths):
        _, (h, _) = self[0](pack_padded_sequence(x, lengths))
        return h


model = Model(torch.nn.LSTM(4, 5))
x, lengths = torch.randn(6, 2, 4), torch.tensor([6, 3])
exported = torch.export.export(model, (x, lengths))
difference = (exported.module()(x, lengths) - model(x, lengths)).abs().max().item()
assert difference < 1e-5, f"the exported LSTM is off by {difference}"
