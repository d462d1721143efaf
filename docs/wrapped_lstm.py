"""An nn.Module of your own, wrapped for the suite: here torch.nn.LSTM with batch_first stands for it."""

import torch

from impls.families.torch import of_module

FRAMEWORK = "torch"
TRACK = "tuned"


class Wrapped(torch.nn.Module):
    """Takes x (T, B, I), h0 and c0 (layers · directions, B, H); returns output (T, B, ·), h_n and c_n."""

    def __init__(self, problem):
        super().__init__()
        sizes = problem.input_size, problem.hidden_size, problem.num_layers, problem.bias
        self.mine = torch.nn.LSTM(*sizes, batch_first=True, bidirectional=problem.bidirectional)

    def forward(self, x, h0, c0):
        """Call the module with its batch first."""
        output, (h_n, c_n) = self.mine(x.transpose(0, 1), (h0, c0))
        return output.transpose(0, 1), h_n, c_n


prepare = of_module(Wrapped, names=lambda name: f"mine.{name}")  # weight_ih_l0 and so on: their names in your module
