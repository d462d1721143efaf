"""torch.nn.LSTMCell in a Python loop over time steps."""

from __future__ import annotations

from torch import nn

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights, layers
from impls.families.torch import CellLSTM, prepare_module

FRAMEWORK = "torch"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
LENGTHS = True


class LSTM(CellLSTM):
    """An nn.LSTMCell for each layer and direction."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, lambda width: nn.LSTMCell(width, problem.hidden_size, bias=problem.bias))


def names(problem: Problem) -> dict[str, str]:
    """Canonical names → this module's own."""
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return {f"{kind}_{suffix}": f"cells.{suffix}.{kind}" for _, suffix, _ in layers(problem) for kind in kinds}


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    return prepare_module(problem, weights, device, workload, LSTM, names(problem))
