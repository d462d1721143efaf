"""vmap over nn.LSTM, as for an ensemble of weights, raises. https://github.com/pytorch/pytorch/issues/105982

Fails with: torch>=2.9
Instead: `vmap(lambda weights: torch.func.vjp(run, weights)[0])(weights)`, where run calls the nn.LSTM.
"""

import torch
from torch.func import functional_call, stack_module_state, vmap

torch.manual_seed(0)
ensemble = [torch.nn.LSTM(4, 5) for _ in range(3)]
weights, _ = stack_module_state(ensemble)
x = torch.randn(3, 2, 4)
together = vmap(lambda weights: functional_call(ensemble[0], weights, (x,))[0])(weights)
apart = torch.stack([lstm(x)[0] for lstm in ensemble])
difference = (together - apart).abs().max().item()
assert difference < 1e-5, f"vmap differs by {difference}"
