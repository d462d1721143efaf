"""torch._higher_order_ops.scan under torch.compile: a loop as one operator, so compile time does not grow with seq_len.

PyTorch counts scan as a prototype. In torch 2.11 and 2.12.0, its gradients of parameters from outside the loop, such as
weight_hh here, are wrong where the first carry needs no gradient, as in the workload `model` (pytorch#184528). A gate
refused 2.12.0 there (docs/decisions/0002-tuned-track.md). Each layer is compiled by itself: with two scans in one
graph, gradients are wrong in 2.13.0 too, as pytorch#153679 reports.
"""

import torch
from torch import Tensor
from torch._higher_order_ops.scan import scan
from torch.nn import functional

from impls.families.torch import CanonicalLSTM, of_module, settle_compiler

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
OPTIONAL = True
COMPILE_MINUTES = 2

settle_compiler()


@torch.compile(dynamic=False, fullgraph=True)
def compiled(projected: Tensor, h: Tensor, c: Tensor, weight_hh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Projected inputs (T, B, 4H), h and c (B, H), weight_hh (4H, H) → output (T, B, H), h, c."""

    def cell(carry: tuple[Tensor, Tensor], z: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        h, c = carry
        i, f, g, o = (z + functional.linear(h, weight_hh)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return (h.clone(), c.clone()), h  # scan refuses results that share memory

    (h, c), output = scan(cell, (h, c), projected, dim=0)
    return output, h, c


class ScanLSTM(CanonicalLSTM):
    """Hoisted input projection, then one scan for each direction of each layer."""

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weight_ih, weight_hh, *_ = self.weights(suffix)
        projected = functional.linear(x, weight_ih, self.summed_bias(suffix))
        return compiled(projected, h, c, weight_hh)  # type: ignore[no-any-return]


prepare = of_module(ScanLSTM)
