"""Planted: torch_cell that leaves a second of work at each call. It takes turns, but is never admitted."""

from __future__ import annotations

import time

from benchmarks.gpu_check.late import leaving, use_gpu
from benchmarks.measurement import devices
from impls import torch_cell
from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights

FRAMEWORK = "torch"
TRACK = "default"
WORKLOADS = ("sequence",)
SECONDS = 1.0


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    prepared = torch_cell.prepare(problem, weights, device, workload)
    if simulated := devices.simulated():
        return leaving(prepared, lambda: simulated.submit(time.sleep, SECONDS))
    return leaving(prepared, lambda: use_gpu(SECONDS))
