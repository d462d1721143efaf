"""torch.mkldnn_rnn_layer does not check its sizes, and kills the process.
https://github.com/pytorch/pytorch/issues/143485

Fails with: torch>=2.9
Instead: call torch.nn.LSTM, which checks the sizes.
"""

import torch

x, h, c = torch.ones(1, 8, 1), torch.ones(1, 8), torch.ones(1, 1)
weight, bias = torch.ones(5, 8), torch.ones(5)
sizes = {"hidden_size": 8, "num_layers": 2}
flags = {"has_biases": True, "bidirectional": False, "batch_first": False, "train": False}
try:
    torch.mkldnn_rnn_layer(x, weight, weight, bias, bias, h, c, reverse=False, batch_sizes=[], mode=2, **sizes, **flags)
except RuntimeError as error:
    print("refused, as it should be:", error)
