"""keras.layers.LSTM on the PyTorch backend, with gradients by torch.autograd.

Keras is batch-major. x and output are transposed views. Each direction of a layer is a Python loop over time steps; two
directions are one keras.layers.Bidirectional.
"""

from typing import Any

from torch import Tensor, nn

from impls.api import Prepared, Problem, Unsupported, Weights, layers
from impls.families.keras import make_lstm
from impls.families.torch import CanonicalLSTM, prepare_module

FRAMEWORK = "keras"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16")
VARIANTS = ("lengths", "batch_first")
REQUIRES = ("keras>=3.12", "torch>=2.9")
ENVIRONMENT = {"KERAS_BACKEND": "torch"}


class KerasLSTM(CanonicalLSTM):
    """Keras's layers with torch.nn.LSTM's parameters.

    A kernel is a transposed view of a weight, and lies in memory as Keras's own kernel does. The bias is the sum of the
    two. Layers that are called directly, without stateless_call, are not faster (docs/decisions/0009-one-engine.md).
    """

    def __init__(self, problem: Problem, lstm: Any) -> None:
        super().__init__(problem)
        self.lstm = lstm
        self.register_load_state_dict_post_hook(lay_out_as_kernels)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor, *lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        params: dict[str, dict[str, Tensor]] = {}
        for _, suffix, _ in layers(self.problem):
            weight_ih, weight_hh, *_ = self.weights(suffix)
            params[suffix] = {"kernel": weight_ih.t(), "recurrent_kernel": weight_hh.t()}
            bias = self.summed_bias(suffix)
            if bias is not None:
                params[suffix]["bias"] = bias
        return self.lstm(params, x, h0, c0, *lengths)  # type: ignore[no-any-return]


def lay_out_as_kernels(module: nn.Module, _: Any) -> None:
    """Lay out each weight (4H, I) so that its transposed view, the kernel (I, 4H), is contiguous."""
    for parameter in module.parameters():
        if parameter.dim() == 2:
            parameter.data = parameter.data.t().contiguous().t()


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    if problem.lengths and problem.dtype == "float64":  # only then Keras takes its own loop, step by step
        raise Unsupported("with lengths, Keras 3.15 computes products of float64 in float32 on PyTorch")
    lstm = make_lstm(problem)
    return prepare_module(problem, weights, device, workload, lambda p: KerasLSTM(p, lstm))
