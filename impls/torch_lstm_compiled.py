"""torch.nn.LSTM under torch.compile, which unrolls it: the option allow_rnn is off by default.

pytorch#185135 reports that it compiles for 7 s with two layers and for over 80 s with six; docs/cases.md has our
figures.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import prepare_module
from impls.families.torch_compile import settle
from impls.families.torch_lstm import FlatLSTM

FRAMEWORK = "torch"
TRACK = "tuned"
WORKLOADS = ("cell", "sequence")  # torch 2.13 can't compile the model's step: mkldnn_rnn_layer gets no tensor
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
OPTIONAL = True


@torch.compile(dynamic=False, fullgraph=True)
def compiled(lstm: FlatLSTM, x: Tensor, h0: Tensor, c0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Run nn.LSTM."""
    return FlatLSTM.forward(lstm, x, h0, c0)


class CompiledLSTM(FlatLSTM):
    """FlatLSTM, compiled."""

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        return compiled(self, x, h0, c0)  # type: ignore[no-any-return]


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    settle()
    torch._dynamo.config.allow_rnn = True
    return prepare_module(problem, weights, device, workload, CompiledLSTM)
