"""Compiled with allow_rnn, nn.LSTM cannot be trained on an input that needs no gradient.
https://github.com/pytorch/pytorch/pull/185163

Fails with: torch>=2.9
Instead: give the input requires_grad=True.
"""

import torch

torch._dynamo.config.allow_rnn = True
torch.manual_seed(0)
lstm = torch.nn.LSTM(4, 5)
x = torch.randn(3, 2, 4)
weights = list(lstm.parameters())
plain = torch.autograd.grad(lstm(x)[0].square().sum(), weights)
compiled = torch.autograd.grad(torch.compile(lstm)(x)[0].square().sum(), weights)
difference = max((a - b).abs().max().item() for a, b in zip(compiled, plain, strict=True))
assert difference < 1e-5, f"the compiled gradients are off by {difference}"
