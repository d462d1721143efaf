"""torch.export refuses an nn.LSTM over sequences of varying length: the length becomes the example's.
https://github.com/pytorch/pytorch/issues/115092

Fails with: torch>=2.9
Instead: torch.jit.trace; from 2.13 on also `with torch.export._patches.register_lstm_while_loop_decomposition():`.
Shows: torch_lstm_exported -anylength, torch_lstm_aoti -anylength, torch_lstm_onnx -anylength,
    torch_lstm_exported@AVX2 -anylength
"""

import torch


class Model(torch.nn.Sequential):
    def forward(self, x):
        return self[0](x)[0]


model = Model(torch.nn.LSTM(4, 5))
length = torch.export.Dim("length", min=2, max=100)
exported = torch.export.export(model, (torch.randn(6, 2, 4),), dynamic_shapes=({0: length},))
x = torch.randn(9, 2, 4)
difference = (exported.module()(x) - model(x)).abs().max().item()
assert difference < 1e-5, f"the exported LSTM is off by {difference}"
