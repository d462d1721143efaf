"""torchrl.modules.LSTM: TorchRL's LSTM in Python, which torch.vmap can map over, unlike torch.nn.LSTM.

TorchRL's LSTMModule takes it with python_based=True. Otherwise LSTMModule takes torch.nn.LSTM, which is torch_lstm.
It is batch-major, so a time-major x and output are transposed views. It has no two directions.

Where a row starts anew, LSTMModule gets is_init: it cuts the rows there, and pads the pieces to one batch.
"""

import torch
from tensordict import TensorDict
from torch import Tensor, nn
from torch.nn import functional
from torchrl.modules import LSTMModule

from impls.api import Prepared, Problem, Unsupported, Weights
from impls.families.torch import prepare_module

FRAMEWORK = "torchrl"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
VARIANTS = ("batch_first", "dropout", "resets")
REQUIRES = ("torchrl>=0.10", "torch>=2.9")


class TorchRLLSTM(nn.Module):
    """LSTM that takes x (T, B, I), h0 and c0 and returns output, h_n, c_n flat."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.batch_first = problem.batch_first
        self.module = LSTMModule(
            problem.input_size,
            problem.hidden_size,
            problem.num_layers,
            bias=problem.bias,
            python_based=True,
            in_keys=["x", "h", "c"],
            out_keys=["output", "h_n", "c_n"],
            default_recurrent_mode=True,
        )

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor, *resets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = x if self.batch_first else x.transpose(0, 1)
        if resets:
            anew = resets[0].to(x.device).T[:, :, None]
            states = {name: self.at_first(state, anew) for name, state in (("h", h0), ("c", c0))}
            given = TensorDict({"x": x, **states, "is_init": anew}, anew.shape[:2])
            found = self.module(given)
            output = found["output"]
            h_n, c_n = (found[name][:, -1].transpose(0, 1) for name in ("h_n", "c_n"))
        else:
            output, (h_n, c_n) = self.module.lstm(x, (h0, c0))
        return output if self.batch_first else output.transpose(0, 1), h_n, c_n

    @staticmethod
    def at_first(state: Tensor, anew: Tensor) -> Tensor:
        """Return the states (B, T, L, H) that LSTMModule reads where a piece starts: the first, or zero."""
        first = torch.where(anew[:, 0, :, None], 0.0, state.transpose(0, 1))
        return functional.pad(first[:, None], (0, 0, 0, 0, 0, anew.shape[1] - 1))


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    if problem.bidirectional:
        raise Unsupported("it has no two directions")
    return prepare_module(problem, weights, device, workload, TorchRLLSTM, names=lambda name: f"module.lstm.{name}")
