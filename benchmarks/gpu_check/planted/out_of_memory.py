"""Planted: asks for more memory than any device has. Its row must say out_of_memory."""

from __future__ import annotations

import torch

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import device_of

FRAMEWORK = "torch"
TRACK = "default"
WORKLOADS = ("sequence",)


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    del problem, weights, workload
    torch.empty(2**50, dtype=torch.uint8, device=device_of(device))
    raise AssertionError("a petabyte was given out")
