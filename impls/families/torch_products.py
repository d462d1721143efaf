"""The products of an LSTM that are not sequential, by PyTorch as it is or by oneDNN.

There are no gradients of these products: they are for the inside of a torch.autograd.Function.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor


class Products(NamedTuple):
    """What does the products.

    linear: x (..., K), weight (N, K) or a transposed view, bias (N,) or None → x @ weight.T + bias.
    of_weights: d_z (T·B, 4H), x (T·B, I), previous h (T·B, H) → the gradients of weight_ih and weight_hh. They are
        dense: autograd would copy what is not.
    """

    linear: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    of_weights: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def _plain(d_z: Tensor, x: Tensor, previous_h: Tensor) -> tuple[Tensor, Tensor]:
    return d_z.t() @ x, d_z.t() @ previous_h


TORCH = Products(torch.nn.functional.linear, _plain)


def has_onednn(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether oneDNN does products of this type here. It has none for float64, and none on a GPU."""
    return dtype == torch.float32 and device.type == "cpu" and torch.backends.mkldnn.is_available()


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return what nn.functional.linear does; by oneDNN where it can."""
    if not has_onednn(x.dtype, x.device):
        return torch.nn.functional.linear(x, weight, bias)
    return torch.ops.mkldnn._linear_pointwise(x.contiguous(), weight, bias, "none", [], "")  # type: ignore[no-any-return]


def _of_weights(d_z: Tensor, x: Tensor, previous_h: Tensor) -> tuple[Tensor, Tensor]:
    """Both as one product, the other way round: oneDNN does that faster than each as (4H, ·)."""
    if not has_onednn(x.dtype, x.device):
        return _plain(d_z, x, previous_h)
    both = _linear(torch.cat([x, previous_h], dim=1).t(), d_z.t()).t()
    return both[:, : x.shape[1]].contiguous(), both[:, x.shape[1] :].contiguous()


ONEDNN = Products(_linear, _of_weights)


@functools.cache
def quickest() -> Products:
    """Return what is quickest on this processor: on Intel's, MKL is made for it; on AMD's, oneDNN is much faster.

    docs/decisions/0002-tuned-track.md has the figures.
    """
    try:
        intel = "GenuineIntel" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        intel = False
    return TORCH if intel else ONEDNN
