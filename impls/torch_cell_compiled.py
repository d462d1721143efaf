"""torch.compile of the custom cell: a chunk of unrolled time steps is one compiled graph.

Compiling a single step leaves the cost of the Python loop at every step. Compiling the whole loop takes minutes for
long sequences. docs/decisions/0002-tuned-track.md has the figures.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import CanonicalLSTM, prepare_module
from impls.families.torch_compile import settle

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")

CHUNK = 8


def steps(
    projected: tuple[Tensor, ...], h: Tensor, c: Tensor, recurrent: Tensor
) -> tuple[list[Tensor], Tensor, Tensor]:
    """A few time steps, unrolled by the compiler: projected inputs (B, 4H) each → every h, the last h and c."""
    outputs = []
    for z in projected:
        i, f, g, o = torch.addmm(z, h, recurrent).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return outputs, h, c


compiled_steps = torch.compile(steps, dynamic=False, fullgraph=True)


class CompiledLSTM(CanonicalLSTM):
    """Hoisted input projection; the loop in compiled chunks of CHUNK steps."""

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weight_ih, weight_hh, *_ = self.weights(suffix)
        bias = self.summed_bias(suffix)
        recurrent = weight_hh.t().contiguous()
        projected = functional.linear(x, weight_ih, bias).unbind(0)
        outputs: list[Tensor] = []
        for start in range(0, len(projected), CHUNK):
            chunk, h, c = compiled_steps(projected[start : start + CHUNK], h, c, recurrent)
            outputs += chunk
        return torch.stack(outputs), h, c


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    settle()
    return prepare_module(problem, weights, device, workload, CompiledLSTM)
