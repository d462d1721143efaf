"""An nn.Module of your own, wrapped for the suite: here torch.nn.LSTM with batch_first stands for it.

It has one layer, one direction, two biases and no dropout. If yours can do more, refuse less. What lies beside this
file can be imported; for more, sys.path.insert(0, a path that is made from __file__).
"""

import torch

from impls.api import Unsupported
from impls.families.torch import of_module

FRAMEWORK = "torch"
TRACK = "tuned"  # or "default": plain code, as the documentation of its framework shows it
NAMES = {  # torch.nn.LSTM's parameters, whose gates are i, f, g, o: what they are called in Wrapped
    "weight_ih_l0": "mine.weight_ih_l0",  # (4H, I)
    "weight_hh_l0": "mine.weight_hh_l0",  # (4H, H)
    "bias_ih_l0": "mine.bias_ih_l0",  # (4H,)
    "bias_hh_l0": "mine.bias_hh_l0",  # (4H,)
}


class Wrapped(torch.nn.Module):
    """Takes x (T, B, I), h0 and c0 (1, B, H); returns output (T, B, H), h_n and c_n (1, B, H)."""

    def __init__(self, problem):
        super().__init__()
        if problem.num_layers > 1 or problem.bidirectional or not problem.bias:
            raise Unsupported("only one layer, one direction, with bias")
        self.mine = torch.nn.LSTM(problem.input_size, problem.hidden_size, batch_first=True)

    def forward(self, x, h0, c0):
        """Call the module with its batch first."""
        output, (h_n, c_n) = self.mine(x.transpose(0, 1), (h0, c0))
        return output.transpose(0, 1), h_n, c_n


prepare = of_module(Wrapped, names=NAMES.__getitem__)
