"""torch.compile of the custom cell: a chunk of unrolled time steps is one compiled graph.

Compiling a single step leaves the cost of the Python loop at every step. Compiling the whole loop takes minutes for
long sequences. docs/decisions/0002-tuned-track.md has the figures.
"""

from __future__ import annotations

import torch

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import prepare_module
from impls.families.torch_compile import ChunkedLSTM, settle, steps

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")


class CompiledLSTM(ChunkedLSTM):
    """The loop in compiled chunks."""

    compiled_steps = staticmethod(torch.compile(steps, dynamic=False, fullgraph=True))


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    settle()
    return prepare_module(problem, weights, device, workload, CompiledLSTM)
