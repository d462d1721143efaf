"""nn.LSTMCell takes a row without a batch beside states with one, and kills the process.
https://github.com/pytorch/pytorch/issues/175978

Fails with: torch>=2.9,<2.15
Instead: give row and states the same batch, as in `cell(row.expand(3, 5), state)`.
"""

import torch

cell = torch.nn.LSTMCell(5, 3)
row = torch.randn(5)
state = torch.zeros(3, 3), torch.zeros(3, 3)
try:
    cell(row, state)
except RuntimeError as error:
    print("refused, as it should be:", error)
