"""The custom cell under a CUDA graph: all its kernels are submitted in one launch. It needs a CUDA device.

A graph is recorded when inputs are loaded. It writes its results to the same memory each time, so they are copied. What
a training step keeps for its backward pass is inside the graph: there is no backward by itself. `model` would count the
recording's steps of SGD.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch

from impls.api import Inputs, Prepared, Problem, Unsupported, Weights
from impls.families.torch import LoopedLSTM, device_of, prepare_module, wait_for
from impls.families.torch_graph import captured

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cuda",)
WORKLOADS = ("cell", "sequence")
OPTIONAL = True
MODES = ("forward", "train_step")

Graphs = dict[str, Callable[[], Any]]
"""The state: by mode, what replays its graph."""


def graphed(eager: Prepared, wait: Callable[[], None], cuda: Any = torch.cuda) -> Prepared:
    """Return an implementation that records each mode when inputs are loaded, and replays it at each call.

    Args:
        eager: an implementation, whose modes are recorded without their wait.
        wait: waits for the GPU.
        cuda: torch.cuda, or what stands in for it.
    """

    def load(inputs: Inputs) -> Graphs:
        assert eager.submit is not None
        state = eager.load(inputs)
        return {mode: captured(functools.partial(eager.submit(mode), state), cuda) for mode in MODES}

    def of(mode: str, waits: Callable[[], None]) -> Callable[[Graphs], Any]:
        def run(graphs: Graphs) -> Any:
            result = tuple(tensor.clone() for tensor in graphs[mode]())
            waits()
            return result

        return run

    return Prepared(
        load=load,
        to_numpy=eager.to_numpy,
        submit=lambda mode: of(mode, lambda: None),
        **{mode: of(mode, wait) for mode in MODES},
    )


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    if device != "cuda":
        raise Unsupported("a CUDA graph needs a CUDA device")
    eager = prepare_module(problem, weights, device, workload, LoopedLSTM, inference=torch.no_grad)
    return graphed(eager, wait_for(device_of(device)))
