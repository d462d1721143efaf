"""Planted: torch_cell that leaves work on the stream that its result is read from. It must be refused."""

from __future__ import annotations

from benchmarks.gpu_check.late import SECONDS, leaving_work
from impls import torch_cell
from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights

FRAMEWORK = "torch"
TRACK = "default"
WORKLOADS = ("sequence",)


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    return leaving_work(torch_cell.prepare(problem, weights, device, workload), SECONDS)
