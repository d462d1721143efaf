"""An LSTM of your own whose weights differ in more than names: gates o, i, f, g, one bias, matrices transposed.

`Mine` stands for your class; import it instead, from beside this file.
"""

import torch

from impls.families.torch import CanonicalLSTM, of_module

FRAMEWORK = "torch"
TRACK = "tuned"  # or "default": plain code, as the documentation of its framework shows it


class Mine(torch.nn.Module):
    """Takes x (T, B, I) and a state (h, c) of (B, H) each; returns output (T, B, H) and the state."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.W = torch.nn.Parameter(torch.empty(input_size, 4 * hidden_size))
        self.U = torch.nn.Parameter(torch.empty(hidden_size, 4 * hidden_size))
        self.b = torch.nn.Parameter(torch.empty(4 * hidden_size))

    def forward(self, x, state):
        """Run over all steps."""
        h, c = state
        outputs = []
        for x_t in x:
            o, i, f, g = (x_t @ self.W + h @ self.U + self.b).chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            outputs.append(h)
        return torch.stack(outputs), (h, c)


def converted(array):
    """Return an array whose gates are i, f, g, o with its gates in the order of Mine."""
    i, f, g, o = array.chunk(4)
    return torch.cat([o, i, f, g])


class Converted(CanonicalLSTM):
    """Has the parameters of torch.nn.LSTM, and calls Mine with them, converted, for each layer and direction."""

    def __init__(self, problem):
        super().__init__(problem)
        # in a tuple: its own parameters are not used, and are none of this module's
        self.mine = (Mine(problem.input_size, problem.hidden_size),)

    def layer(self, suffix, x, h, c):
        """Return the output (T, B, H) and the last h and c (B, H) of a layer in one direction."""
        weight_ih, weight_hh, bias_ih, bias_hh = self.weights(suffix)
        has_bias = bias_ih is not None
        bias = bias_ih + bias_hh if has_bias else weight_ih.new_zeros(len(weight_ih))
        parameters = {
            "W": converted(weight_ih).t(),
            "U": converted(weight_hh).t(),
            "b": converted(bias),
        }
        call = torch.func.functional_call
        output, (h_n, c_n) = call(self.mine[0], parameters, (x, (h, c)))
        return output, h_n, c_n


prepare = of_module(Converted)
