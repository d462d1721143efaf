"""torch.jit.script of an nn.LSTM itself has no forward. https://github.com/k2-fsa/icefall/pull/479

Fails with: torch>=2.9
Instead: script a module that calls the nn.LSTM.
"""

import torch

torch.manual_seed(0)
lstm = torch.nn.LSTM(4, 5)
x = torch.randn(3, 2, 4)
scripted = torch.jit.script(lstm)
difference = (scripted(x)[0] - lstm(x)[0]).abs().max().item()
assert difference < 1e-5, f"the scripted LSTM is off by {difference}"
