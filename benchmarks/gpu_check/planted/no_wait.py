"""Planted: torch_cell that leaves work on the stream that its result is read from. It must be refused."""

from __future__ import annotations

import time

from benchmarks.gpu_check.late import SECONDS, leaving, use_gpu
from benchmarks.measurement import devices
from impls import torch_cell
from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights

FRAMEWORK = "torch"
TRACK = "default"
WORKLOADS = ("sequence",)


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    prepared = torch_cell.prepare(problem, weights, device, workload)
    if simulated := devices.simulated():
        return leaving(prepared, lambda: simulated.submit(time.sleep, SECONDS), simulated.drain)
    return leaving(prepared, lambda: use_gpu(SECONDS))
