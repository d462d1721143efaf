"""quantize_dynamic raises an AssertionError for an nn.LSTM without bias.
https://github.com/pytorch/pytorch/pull/25157

Fails with: torch>=2.9
Instead: copy the weights into an nn.LSTM with bias, and set its biases to 0.
"""

import torch
from torch.ao.quantization import quantize_dynamic

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.LSTM(4, 5, bias=False))
x = torch.randn(3, 2, 4)
int8 = quantize_dynamic(model, {torch.nn.LSTM})
difference = (int8(x)[0] - model(x)[0]).abs().max().item()
assert difference < 0.05, f"int8 is off by {difference}"
