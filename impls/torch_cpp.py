"""Each direction of each layer in C++, forward and backward, as a torch.autograd.Function.

impls/families/native/lstm.h does it all, products of matrices too. It is compiled at the first call on a machine, which
takes seconds, and kept.
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

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")
WORKLOADS = ("cell", "sequence", "model", "train", "stream")
SOURCE = "torch_lstm.cpp"


@functools.cache
def function(name: str, dtype: torch.dtype) -> Any:
    """Return a function of lstm.h for a dtype."""
    found = getattr(native.library(SOURCE), f"lstm_{name}_{str(dtype).removeprefix('torch.')}")
    found.restype = None
    return found


def call(name: str, x: Tensor, hidden: int, *tensors: Tensor | None) -> None:
    """Call a function of lstm.h on x (T, B, I) and dense tensors of its dtype, in the order of its struct."""
    values = *x.shape, hidden, *[tensor.data_ptr() if tensor is not None else 0 for tensor in tensors]
    function(name, x.dtype)((ctypes.c_int64 * len(values))(*values), torch.get_num_threads())


def forward(keep: bool, x: Tensor, h0: Tensor, c0: Tensor, *weights: Tensor | None) -> tuple[Tensor, ...]:
    """Return output (T, B, H), h_n and c_n; where they are to be kept, the gates (T, B, 4H) and all c (T, B, H) too."""
    steps, batch, hidden = len(x), *h0.shape[-2:]
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    bias = None if bias_ih is None or bias_hh is None else bias_ih + bias_hh
    made = x.new_empty(steps, batch, hidden), torch.empty_like(h0), torch.empty_like(c0)
    kept = (x.new_empty(steps, batch, 4 * hidden), x.new_empty(steps, batch, hidden)) if keep else (None, None)
    call("forward", x, hidden, x, h0, c0, weight_ih, weight_hh, bias, *made, *kept)
    return *made, *kept


class Layer(torch.autograd.Function):
    """One direction of one layer: x (T, B, I), h0 and c0 (…, B, H), weights → output (T, B, H), h_n, c_n."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> tuple[Tensor, ...]:  # type: ignore[override]
        output, h_n, c_n, *kept = forward(True, *given)
        ctx.save_for_backward(*given[:5], output, *kept)
        ctx.has_bias = given[5] is not None
        ctx.set_materialize_grads(False)
        return output, h_n, c_n

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        saved = ctx.saved_tensors
        x, hidden = saved[0], saved[4].shape[1]
        d_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        d_bias = x.new_empty(4 * hidden) if ctx.has_bias else None
        made = d_x, *[torch.empty_like(tensor) for tensor in saved[1:5]], d_bias
        dense = [None if tensor is None else tensor.contiguous() for tensor in cotangents]
        call("backward", x, hidden, *dense, *saved, *made)
        return *made, d_bias


class NativeLSTM(CanonicalLSTM):
    """Each direction of each layer is a Layer. What it does not take is refused.

    Raises:
        ValueError: for a problem with an option that it does not have, and for tensors of another shape or kind.
    """

    def __init__(self, problem: Problem) -> None:
        if problem.variants:
            raise ValueError(f"NativeLSTM has no {problem.variants[0]}")
        super().__init__(problem)
        bound = problem.hidden_size**-0.5
        for parameter in self.parameters():
            torch.nn.init.uniform_(parameter, -bound, bound)

    def check(self, x: Tensor, h0: Tensor, c0: Tensor) -> None:
        """Refuse what the C++ would read beyond its end, or as something else."""
        problem, dtype = self.problem, self.weight_ih_l0.dtype
        if x.ndim != 3 or x.shape[2] != problem.input_size or 0 in x.shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; it must be (T, B, {problem.input_size}), and not empty")
        state = (problem.num_layers * problem.directions, x.shape[1], problem.hidden_size)
        for name, tensor in (("h0", h0), ("c0", c0)):
            if tensor.shape != state:
                raise ValueError(f"{name} has shape {tuple(tensor.shape)}; it must be {state}")
        for name, tensor in (("x", x), ("h0", h0), ("c0", c0), *self.named_parameters()):
            if tensor.dtype != dtype or dtype not in (torch.float32, torch.float64):
                raise ValueError(f"{name} is {tensor.dtype}; all must be float32, or all float64")
            if tensor.device.type != "cpu" or tensor.layout != torch.strided:
                raise ValueError(f"{name} is on {tensor.device}, {tensor.layout}; it must be a dense tensor on the CPU")

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See CanonicalLSTM."""
        given = x.contiguous(), h.contiguous(), c.contiguous(), *self.weights(suffix)
        return Layer.apply(*given) if torch.is_grad_enabled() else forward(False, *given)[:3]  # type: ignore[no-any-return, no-untyped-call, return-value]

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.check(x, h0, c0)
        if len(h0) == 1:  # there is nothing to take apart and to put together, which takes 50 µs
            return self.layer("l0", x, h0, c0)
        return super().forward(x, h0, c0)


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    native.compiler()
    prepared = prepare_module(problem, weights, device, workload, NativeLSTM)
    return replace(prepared, compiled_before=lambda: native.seconds_before(SOURCE))
