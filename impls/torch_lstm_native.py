"""torch.nn.LSTM with oneDNN and cuDNN switched off: ATen's own loop.

That is what torch.nn.LSTM falls back to where oneDNN or cuDNN does not support a problem.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import prepare_module
from impls.families.torch_lstm import FlatLSTM

FRAMEWORK = "torch"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
LENGTHS = True
OPTIONAL = True


class NativeLSTM(FlatLSTM):
    """FlatLSTM, run without oneDNN and cuDNN."""

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor, *lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        torch.backends.mkldnn.enabled = torch.backends.cudnn.enabled = False  # type: ignore[assignment]
        try:
            return super().forward(x, h0, c0, *lengths)
        finally:
            torch.backends.mkldnn.enabled = torch.backends.cudnn.enabled = True  # type: ignore[assignment]


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    return prepare_module(problem, weights, device, workload, NativeLSTM)
