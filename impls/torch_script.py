"""The custom cell under torch.jit.script, the loop over time steps inside, as PyTorch's benchmark fastrnns has it.

forward runs under no_grad: under inference_mode, TorchScript's autodiff fails with "Inference tensors cannot be saved
for backward".
"""

from __future__ import annotations

import warnings
from typing import List, Optional, Tuple  # noqa: UP035 (TorchScript reads these)

import torch
from torch import Tensor
from torch.nn import functional

from impls.core.contract import Prepared
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import CanonicalLSTM, prepare_module

FRAMEWORK = "torch"
TRACK = "default"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
OPTIONAL = True


def loop(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Optional[Tensor],  # noqa: UP045
    bias_hh: Optional[Tensor],  # noqa: UP045
) -> Tuple[Tensor, Tensor, Tensor]:  # noqa: UP006
    """One direction of one layer: x (T, B, I), h and c (B, H) → output (T, B, H), h, c."""
    outputs: List[Tensor] = []  # noqa: UP006
    for x_t in x.unbind(0):
        gates = functional.linear(x_t, weight_ih, bias_ih) + functional.linear(h, weight_hh, bias_hh)
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs), h, c


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit.script is deprecated; people still use it
    scripted = torch.jit.script(loop)


class ScriptLSTM(CanonicalLSTM):
    """Each direction of each layer is a scripted loop."""

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return scripted(x, h, c, *self.weights(suffix))  # type: ignore[no-any-return]


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    return prepare_module(problem, weights, device, workload, ScriptLSTM, inference=torch.no_grad)
