"""torch_cell_autograd with its batched products through oneDNN, not through the library of torch.mm.

oneDNN has no products of float64: in float64 this is torch_cell_autograd.
"""

from __future__ import annotations

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import prepare_module
from impls.families.torch_products import ONEDNN
from impls.families.torch_recurrence import RecurrentLSTM

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")
OPTIONAL = True


class OnednnLSTM(RecurrentLSTM):
    """RecurrentLSTM with oneDNN."""

    products = ONEDNN


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    return prepare_module(problem, weights, device, workload, OnednnLSTM)
