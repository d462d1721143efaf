"""The recurrence in C++, forward and backward, as a torch.autograd.Function.

impls/families/native/lstm.h is the recurrence. It is compiled at the first call on a machine, which takes seconds, and
kept. The batched products are those of MKL on Intel's processors, and of oneDNN elsewhere.
"""

import ctypes
import functools
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from impls.api import Prepared, Problem, Weights
from impls.families import native
from impls.families.torch import CanonicalLSTM, prepare_module
from impls.families.torch_recurrence import batched_gradients, quickest

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")
SOURCE = "torch_lstm.cpp"


@functools.cache
def function(name: str, dtype: torch.dtype) -> Any:
    """Return a function of lstm.h for a dtype."""
    found = getattr(native.library(SOURCE), f"lstm_{name}_{str(dtype).removeprefix('torch.')}")
    pointers = {"forward": 7, "backward": 10}[name]
    found.argtypes = [*[ctypes.c_int64] * 3, *[ctypes.c_void_p] * pointers, ctypes.c_int]
    found.restype = None
    return found


def call(name: str, sizes: tuple[int, int, int], *tensors: Tensor) -> None:
    """Call a function of lstm.h on dense tensors of one dtype."""
    function(name, tensors[0].dtype)(*sizes, *[tensor.data_ptr() for tensor in tensors], torch.get_num_threads())


class Recurrence(torch.autograd.Function):
    """x (T, B, I), h0 and c0 (…, B, H), weights → output (T, B, H), h_n and c_n as h0: one direction of one layer."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: Tensor,
        h0: Tensor,
        c0: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor | None,
        bias_hh: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        x, h0, c0, weight_hh = x.contiguous(), h0.contiguous(), c0.contiguous(), weight_hh.contiguous()
        gates = quickest().linear(x, weight_ih, None if bias_ih is None or bias_hh is None else bias_ih + bias_hh)
        steps, (batch, hidden) = len(x), h0.shape[-2:]
        all_h, all_c = x.new_empty(steps + 1, batch, hidden), x.new_empty(steps, batch, hidden)
        all_h[0] = h0
        output = all_h[1:]
        call("forward", (steps, batch, hidden), gates, h0, c0, weight_hh, gates, output, all_c)
        ctx.save_for_backward(x, c0, weight_ih, weight_hh, gates, all_h, all_c)
        ctx.has_bias = bias_ih is not None
        return output, output[-1].clone().view_as(h0), all_c[-1].clone().view_as(c0)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, d_output: Tensor, d_h_n: Tensor, d_c_n: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, c0, weight_ih, weight_hh, gates, all_h, all_c = ctx.saved_tensors
        d_z, d_h0, d_c0 = torch.empty_like(gates), torch.empty_like(c0), torch.empty_like(c0)
        cotangents = d_output.contiguous(), d_h_n.contiguous(), d_c_n.contiguous()
        call("backward", tuple(all_c.shape), *cotangents, gates, c0, all_c, weight_hh, d_z, d_h0, d_c0)
        d_x, d_weight_ih, d_weight_hh, d_bias = batched_gradients(ctx, d_z, x, all_h[:-1], weight_ih, quickest())
        return d_x, d_h0, d_c0, d_weight_ih, d_weight_hh, d_bias, d_bias


class CppLSTM(CanonicalLSTM):
    """Each direction of each layer is a Recurrence."""

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return Recurrence.apply(x, h, c, *self.weights(suffix))  # type: ignore[no-any-return, no-untyped-call]

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor, *lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if len(h0) == 1:  # there is nothing to take apart and to put together, which takes 50 µs
            return self.layer("l0", x, h0, c0)
        return super().forward(x, h0, c0, *lengths)


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    native.compiler()
    prepared = prepare_module(problem, weights, device, workload, CppLSTM)
    return replace(prepared, compiled_before=lambda: native.seconds_before(SOURCE))
