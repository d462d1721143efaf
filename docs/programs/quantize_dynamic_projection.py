"""quantize_dynamic turns an nn.LSTM with proj_size into one that raises at its first call.
https://github.com/pytorch/pytorch/issues/60008

Fails with: torch>=2.9
Instead: quantize an nn.LSTM without proj_size.
"""

import torch
from torch.ao.quantization import quantize_dynamic

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.LSTM(4, 5, proj_size=3))
x = torch.randn(3, 2, 4)
int8 = quantize_dynamic(model, {torch.nn.LSTM})
difference = (int8(x)[0] - model(x)[0]).abs().max().item()
assert difference < 0.05, f"int8 is off by {difference}"
