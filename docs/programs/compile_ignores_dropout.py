"""Compiled with allow_rnn, nn.LSTM in training drops nothing between its layers.
https://github.com/pytorch/pytorch/blob/v2.9.1/torch/_decomp/decompositions.py

Fails with: torch>=2.9
Instead: one-layer nn.LSTMs with torch.nn.Dropout between them.
Shows: torch_lstm_compiled -l2-drop
"""

import torch

torch._dynamo.config.allow_rnn = True
torch.manual_seed(0)
lstm = torch.nn.LSTM(4, 5, num_layers=2, dropout=0.5).train()
x = torch.randn(3, 2, 4, requires_grad=True)
compiled = torch.compile(lstm)
difference = (compiled(x)[0] - compiled(x)[0]).abs().max().item()
assert difference > 0, f"two calls in training differ by {difference}, so nothing was dropped"
