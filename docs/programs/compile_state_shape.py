"""Compiled with allow_rnn, nn.LSTM returns final states of a wrong shape, (1, 1, B, H).

Fails with: torch>=2.9,<2.13
Instead: leave nn.LSTM uncompiled (allow_rnn = False, the default), or take a newer PyTorch.
Shows: torch_lstm_compiled plain -l2 -bi -nobias -p3 -first -anybatch -anylength -float64 -bfloat16 -float16 -autocast
"""

import torch

torch._dynamo.config.allow_rnn = True
lstm = torch.nn.LSTM(4, 5)
x = torch.randn(6, 2, 4, requires_grad=True)
plain = lstm(x)[1][0].shape
compiled = torch.compile(lstm)(x)[1][0].shape
assert compiled == plain, f"h_n has shape {tuple(compiled)}, uncompiled {tuple(plain)}"
