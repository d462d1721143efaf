"""Training nn.LSTM under autocast to float16 on a CPU raises. https://github.com/pytorch/pytorch/pull/132607

Fails with: torch>=2.9
Instead: `with torch.backends.mkldnn.flags(enabled=False):` around the call.
"""

import torch

torch.manual_seed(0)
lstm = torch.nn.LSTM(4, 5)
x = torch.randn(3, 2, 4)
with torch.autocast("cpu", torch.float16):
    half = lstm(x)[0]
difference = (half - lstm(x)[0]).abs().max().item()
assert difference < 0.01, f"float16 is off by {difference}"
