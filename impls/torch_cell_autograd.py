"""The custom cell as a torch.autograd.Function: a hand-written backward, weight gradients batched over time."""

from __future__ import annotations

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import prepare_module
from impls.families.torch_recurrence import RecurrentLSTM

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    return prepare_module(problem, weights, device, workload, RecurrentLSTM)
