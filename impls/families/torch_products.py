"""Matrix products of PyTorch through oneDNN, which on some processors is much faster than the library of torch.mm."""

from __future__ import annotations

import torch
from torch import Tensor


def onednn(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether oneDNN does products of this type here. It has none for float64, and none on a GPU."""
    return dtype == torch.float32 and device.type == "cpu" and torch.backends.mkldnn.is_available()


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x @ weight.T + bias, as nn.functional.linear does; by oneDNN where it can.

    There is no gradient: this is for the inside of a torch.autograd.Function.

    Args:
        x: (..., K).
        weight: (N, K); a transposed view is as good.
        bias: (N,), or None.
    """
    if not onednn(x.dtype, x.device):
        return torch.nn.functional.linear(x, weight, bias)
    return torch.ops.mkldnn._linear_pointwise(x.contiguous(), weight, bias, "none", [], "")  # type: ignore[no-any-return]
