"""The custom cell with the input projection of all time steps hoisted out of the loop, into one product."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import CanonicalLSTM, prepare_module

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
OPTIONAL = True


class HoistedLSTM(CanonicalLSTM):
    """x @ W_ih.T + b for all T at once; the loop keeps only what depends on h."""

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weight_ih, weight_hh, *_ = self.weights(suffix)
        bias = self.summed_bias(suffix)
        # contiguous: for few rows, MKL takes three times as long on a transposed view
        recurrent = weight_hh.t().contiguous()
        outputs = []
        for projected in functional.linear(x, weight_ih, bias).unbind(0):
            i, f, g, o = torch.addmm(projected, h, recurrent).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs), h, c


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    return prepare_module(problem, weights, device, workload, HoistedLSTM)
