"""A CUDA graph: what some calls do on a GPU, recorded once and then submitted in one launch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

WARM_UP = 3
"""The calls before the recording, in which libraries choose their kernels and take their memory, as PyTorch's
documentation of CUDA graphs has it."""


def captured(work: Callable[[], Any], cuda: Any = torch.cuda) -> Callable[[], Any]:
    """Return a function that does again on the GPU what `work` does, in one launch, and returns the same result.

    It reads and writes the same memory each time, and returns before the GPU is done.

    Args:
        work: the calls. They must not wait for the GPU.
        cuda: torch.cuda, or what stands in for it.
    """
    side = cuda.Stream()
    side.wait_stream(cuda.current_stream())
    with cuda.stream(side):
        for _ in range(WARM_UP):
            work()
    cuda.current_stream().wait_stream(side)
    graph = cuda.CUDAGraph()
    with cuda.graph(graph):
        result = work()

    def replay(_: Callable[[], Any] = work) -> Any:  # what `work` refers to must live: the graph reads and writes it
        graph.replay()
        return result

    return replay
