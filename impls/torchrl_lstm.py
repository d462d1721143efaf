"""torchrl.modules.LSTM: TorchRL's LSTM in Python, which torch.vmap can map over, unlike torch.nn.LSTM.

TorchRL's LSTMModule takes it with python_based=True. Otherwise LSTMModule takes torch.nn.LSTM, which is torch_lstm.
It is batch-major, so x and output are transposed views. It has no two directions.
"""

from torch import Tensor
from torchrl.modules import LSTM

from impls.api import Prepared, Problem, Unsupported, Weights
from impls.families.torch import prepare_module

FRAMEWORK = "torchrl"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
REQUIRES = ("torchrl>=0.10", "torch>=2.9")


class TorchRLLSTM(LSTM):  # type: ignore[misc]
    """LSTM that takes x (T, B, I), h0 and c0 and returns output, h_n, c_n flat."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(
            problem.input_size, problem.hidden_size, problem.num_layers, bias=problem.bias, batch_first=True
        )

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output, (h_n, c_n) = super().forward(x.transpose(0, 1), (h0, c0))
        return output.transpose(0, 1), h_n, c_n


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    if problem.bidirectional:
        raise Unsupported("it has no two directions")
    return prepare_module(problem, weights, device, workload, TorchRLLSTM)
