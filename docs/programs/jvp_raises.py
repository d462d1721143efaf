"""Forward-mode derivatives (jvp, jacfwd, hessian) of a float32 nn.LSTM raise on a CPU.
https://github.com/pytorch/pytorch/pull/91158

Fails with: torch>=2.9
Instead: `with torch.backends.mkldnn.flags(enabled=False):` around the call.
"""

import torch

torch.manual_seed(0)
lstm = torch.nn.LSTM(4, 5)
x = torch.randn(3, 2, 4)
forward = torch.func.jacfwd(lambda x: lstm(x)[0])(x)
reverse = torch.func.jacrev(lambda x: lstm(x)[0])(x)
difference = (forward - reverse).abs().max().item()
assert difference < 1e-5, f"the two Jacobians differ by {difference}"
