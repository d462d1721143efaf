"""torch's scan gives wrong gradients to weights from outside the loop if the first state needs no gradient.
https://github.com/pytorch/pytorch/issues/184528

Fails with: torch>=2.9,<2.13
Instead: give the first state requires_grad=True.
"""

import torch
from torch._higher_order_ops.scan import scan

torch.manual_seed(0)
cell = torch.nn.LSTMCell(4, 5)
x = torch.randn(3, 2, 4)
zeros = torch.zeros(2, 5)
state = (zeros, zeros)
for row in x:
    state = cell(row, state)
(looped,) = torch.autograd.grad(state[0].sum(), cell.weight_hh)
state, _ = scan(lambda state, row: (cell(row, state), row.clone()), (zeros, zeros.clone()), x)
(scanned,) = torch.autograd.grad(state[0].sum(), cell.weight_hh)
difference = (scanned - looped).abs().max().item()
assert difference < 1e-5, f"the scan's gradient of weight_hh is off by {difference}"
