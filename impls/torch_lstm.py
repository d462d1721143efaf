"""torch.nn.LSTM: cuDNN on a GPU; on the CPU oneDNN where it supports the problem, otherwise ATen's own loop."""

from __future__ import annotations

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


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    return prepare_module(problem, weights, device, workload, FlatLSTM)
