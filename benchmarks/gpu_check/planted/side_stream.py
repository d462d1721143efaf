"""Planted: torch_cell that leaves work on another stream: its result can be read before. It must be refused."""

from __future__ import annotations

import time

import torch

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
        return leaving(prepared, lambda: simulated.submit(time.sleep, SECONDS, stream=1))
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def leave() -> None:
        with torch.cuda.stream(side):
            use_gpu(SECONDS)

    return leaving(prepared, leave)
