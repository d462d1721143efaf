"""torch_cell_compiled in torch.compile's mode `reduce-overhead`, which records CUDA graphs. It needs a CUDA device.

Its results lie in memory that the next call writes to, so they are copied. A backward by itself would come after
another call has begun, so there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import device_of, prepare_module, wait_for
from impls.families.torch_compile import ChunkedLSTM, settle, steps

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cuda",)
WORKLOADS = ("cell", "sequence")
OPTIONAL = True


class ReducedLSTM(ChunkedLSTM):
    """The loop in chunks that are CUDA graphs."""

    compiled_steps = staticmethod(torch.compile(steps, dynamic=False, fullgraph=True, mode="reduce-overhead"))


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    settle()
    wait = wait_for(device_of(device))
    prepared = prepare_module(problem, weights, device, workload, ReducedLSTM)

    def copied(mode: str, waits: Callable[[], None]) -> Callable[[Any], Any]:
        assert prepared.submit is not None
        call = prepared.submit(mode)

        def run(state: Any) -> Any:
            torch.compiler.cudagraph_mark_step_begin()
            result = tuple(tensor.clone() for tensor in call(state))
            waits()
            return result

        return run

    return Prepared(
        load=prepared.load,
        to_numpy=prepared.to_numpy,
        submit=lambda mode: copied(mode, lambda: None),
        forward=copied("forward", wait),
        train_step=copied("train_step", wait),
    )
