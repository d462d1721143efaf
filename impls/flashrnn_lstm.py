"""FlashRNN's LSTM (Pöppel, Beck and Hochreiter, arXiv 2412.07752): a CUDA kernel for the whole sequence.

Its package compiles the kernel at the first call, for which it needs nvcc and ninja. It takes the input projection
ready-made, batch-major, so that is PyTorch's. Its float32 is TF32 with fast math: see --precision.
"""

from __future__ import annotations

import shutil
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from impls.core.contract import NotInstalled, Prepared, Unsupported
from impls.core.precision import IEEE, current
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import CanonicalLSTM, prepare_module

FRAMEWORK = "flashrnn"
TRACK = "default"
DEVICES = ("cuda",)
DTYPES = ("float32", "bfloat16", "float16")
OPTIONAL = True

BACKEND = "cuda_fused"
"""The quickest of FlashRNN's backends, and its default."""
UNIT_STEP = 16
BATCH_STEP = {"float32": 16, "bfloat16": 8, "float16": 8}
"""Its kernel divides the hidden units and the batch into parts of these sizes."""


class FlashLSTM(CanonicalLSTM):
    """Each direction of each layer is one call of flashrnn, with a single head."""

    def __init__(self, problem: Problem, flashrnn: Any, backend: str = BACKEND) -> None:
        super().__init__(problem)
        self.flashrnn = flashrnn
        self.backend = backend

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See CanonicalLSTM."""
        weight_ih, weight_hh, *_ = self.weights(suffix)
        hidden = weight_hh.shape[1]
        bias = self.summed_bias(suffix)
        projected = functional.linear(x, weight_ih).unflatten(2, (4, 1, hidden))  # gates, heads, units of a head
        outputs, last = self.flashrnn(
            projected.transpose(0, 1),
            weight_hh.view(4, 1, hidden, hidden),
            x.new_zeros(4, 1, hidden) if bias is None else bias.view(4, 1, hidden),
            torch.stack([h, c])[:, :, None, None],  # (state, B, step, head, H)
            function="lstm",
            backend=self.backend,
            dtype=self.problem.dtype,
        )
        return outputs[0, :, :, 0].transpose(0, 1), last[0, :, 0, 0], last[1, :, 0, 0]


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    if problem.dtype == "float32" and current() == IEEE:
        raise Unsupported("its float32 is TF32: --precision tf32")
    step = BATCH_STEP[problem.dtype]
    if problem.hidden_size % UNIT_STEP or problem.batch % step:
        raise Unsupported(f"it takes multiples of {UNIT_STEP} for hidden_size and of {step} for batch")
    if missing := [tool for tool in ("nvcc", "ninja") if shutil.which(tool) is None]:
        raise NotInstalled(f"{' and '.join(missing)}, with which it compiles its kernel")
    try:
        from flashrnn import flashrnn
    except ImportError as error:
        raise NotInstalled(f"pip install flashrnn ({error})") from None
    return prepare_module(problem, weights, device, workload, lambda sizes: FlashLSTM(sizes, flashrnn))
