"""A PyTorch implementation under CUDA graphs: all kernels of a call are submitted in one launch.

A graph is recorded when inputs are loaded. It writes its results to the same memory each time, so they are copied. What
a training step keeps for its backward pass is inside the graph: there is no backward by itself. `model` would count the
recording's steps of SGD.
"""

import functools
from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch
from torch import nn

from impls.api import Inputs, Prepare, Prepared, Problem, Weights
from impls.families.torch import device_of, prepare_module, wait_for

MODES = ("forward", "train_step")
WARM_UP = 3
"""The calls before the recording, in which libraries choose their kernels and take their memory, as PyTorch's
documentation of CUDA graphs has it."""
Graphs = dict[str, Callable[[], Any]]
"""The state: by mode, what replays its graph."""


@functools.cache
def recording_stream(cuda: Any) -> Any:
    """Return the stream that all graphs are recorded on: PyTorch keeps a workspace for each stream that was used."""
    return cuda.Stream()


def captured(work: Callable[[], Any], cuda: Any = torch.cuda) -> Callable[[], Any]:
    """Return a function that does again on the GPU what `work` does, in one launch, and returns the same result.

    It reads and writes the same memory each time, and returns before the GPU is done. `work` must not wait for it.
    """
    side = recording_stream(cuda)
    side.wait_stream(cuda.current_stream())
    with cuda.stream(side):
        for _ in range(WARM_UP):
            work()
    cuda.current_stream().wait_stream(side)
    graph = cuda.CUDAGraph()
    with cuda.graph(graph, stream=side):
        result = work()
    graph.replay()  # the first replay also uploads the graph to the GPU

    def replay(_: Callable[[], Any] = work) -> Any:  # what `work` refers to must live: the graph reads and writes it
        graph.replay()
        return result

    return replay


def graphed(eager: Prepared, wait: Callable[[], None], cuda: Any = torch.cuda) -> Prepared:
    """Return an implementation that records each mode, without its wait, when inputs are loaded, and replays it."""

    recorded: list[float] = []

    def load(inputs: Inputs) -> Graphs:
        assert eager.submit is not None
        state, start = eager.load(inputs), perf_counter()
        graphs = {mode: captured(functools.partial(eager.submit(mode), state), cuda) for mode in MODES}
        recorded[:] = [perf_counter() - start]
        return graphs

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
        compiled_before=lambda: recorded.pop() if recorded else 0.0,
        **{mode: of(mode, wait) for mode in MODES},
    )


def of_module(build: Callable[[Problem], nn.Module]) -> Prepare:
    """Return the `prepare` of the nn.Module that `build(problem)` gives, under CUDA graphs."""

    def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
        eager = prepare_module(problem, weights, device, workload, build, inference=torch.no_grad)
        return graphed(eager, wait_for(device_of(device)))

    return prepare
