"""torch.lstm on packed rows does not check that the states have the first step's batch, and kills the process.
https://github.com/pytorch/pytorch/issues/173946

Fails with: torch>=2.13
Instead: call torch.nn.LSTM, which checks the sizes.
"""

import torch

rows, batch_sizes = torch.randn(10, 8), torch.tensor([10])
states = torch.randn(2, 1, 2, 8).unbind()  # a batch of 2, not of 10
weights = [torch.randn(32, 8), torch.randn(32, 8), torch.randn(32), torch.randn(32)]
try:
    torch.lstm(rows, batch_sizes, states, weights, True, 1, 0.0, False, False)
except RuntimeError as error:
    print("refused, as it should be:", error)
