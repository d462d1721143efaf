"""Planted: torch_cell that breaks CUDA for its process where the batch is 1. Its other rows must survive."""

from __future__ import annotations

import torch

from benchmarks.worker import devices
from impls import torch_cell
from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import device_of

FRAMEWORK = "torch"
TRACK = "default"
WORKLOADS = ("sequence",)


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    if problem.batch == 1:
        target = device_of(device)
        if devices.simulated():
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        torch.zeros(1, device=target)[torch.full((1,), 2**30, device=target)].sum().item()
    return torch_cell.prepare(problem, weights, device, workload)
