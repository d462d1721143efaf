"""Compiled with allow_rnn, nn.LSTM in inference kills the process (SIGFPE) at a batch of no rows, which
plain nn.LSTM takes.
https://github.com/pytorch/pytorch/issues/158007

Fails with: torch>=2.9
Instead: skip empty batches, or leave nn.LSTM uncompiled (allow_rnn = False, the default).
"""

import torch

torch._dynamo.config.allow_rnn = True
lstm = torch.nn.LSTM(4, 5)
x = torch.randn(3, 0, 4)
with torch.no_grad():
    plain = lstm(x)[0].shape
    compiled = torch.compile(lstm)(x)[0].shape
assert compiled == plain, f"the compiled shape is {compiled}, not {plain}"
