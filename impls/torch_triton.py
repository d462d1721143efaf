"""The recurrence as a Triton kernel: one launch for all time steps, forward and backward. It needs a CUDA device.

The products that do not depend on the recurrence are PyTorch's, over all T·B rows. Triton comes with PyTorch for CUDA.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from impls.core.contract import NotInstalled, Prepared, Unsupported
from impls.core.precision import IEEE, TF32, current
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.torch import CanonicalLSTM, device_of, prepare_module
from impls.families.torch_products import TORCH
from impls.families.torch_recurrence import batched_gradients

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cuda",)
DTYPES = ("float32", "bfloat16", "float16")
OPTIONAL = True


class Recurrence(torch.autograd.Function):
    """x (T, B, I), h and c (B, H), weights, a Launcher → output (T, B, H), the last c (B, H)."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: Tensor,
        h: Tensor,
        c: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor | None,
        launcher: Any,
    ) -> tuple[Tensor, Tensor]:
        gates = functional.linear(x, weight_ih, bias)
        all_h, all_c = launcher.forward(gates, weight_hh, h, c)
        ctx.save_for_backward(x, weight_ih, weight_hh, gates, all_h, all_c)
        ctx.has_bias, ctx.launcher = bias is not None, launcher
        return all_h[1:], all_c[-1].to(x.dtype)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, d_output: Tensor, d_c: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, weight_ih, weight_hh, gates, all_h, all_c = ctx.saved_tensors
        d_z, d_c = ctx.launcher.backward(gates, weight_hh, all_c, d_output, d_c)
        d_x, d_weight_ih, d_weight_hh, d_bias = batched_gradients(ctx, d_z, x, all_h[:-1], weight_ih, TORCH)
        return d_x, d_z[0] @ weight_hh, d_c.to(x.dtype), d_weight_ih, d_weight_hh, d_bias, None


class TritonLSTM(CanonicalLSTM):
    """Each direction of each layer is a Recurrence."""

    def __init__(self, problem: Problem, launcher: Any) -> None:
        super().__init__(problem)
        self.launcher = launcher

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weight_ih, weight_hh, *_ = self.weights(suffix)
        bias = self.summed_bias(suffix)
        output, c = Recurrence.apply(x, h, c, weight_ih, weight_hh, bias, self.launcher)  # type: ignore[no-untyped-call]
        return output, output[-1], c


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    target = device_of(device)
    if problem.seq_len * problem.batch * 4 * problem.hidden_size >= 2**31:
        raise Unsupported("its kernels count numbers in 32 bits")
    try:
        from impls.families.triton_recurrence import Launcher, divide
    except ImportError as error:
        raise NotInstalled(f"Triton, which comes with PyTorch for CUDA: {error}") from None
    # Triton's interpreter, which tests use, runs one program after the other
    together = target.type == "cuda"
    most = torch.cuda.get_device_properties(target).multi_processor_count if together else problem.batch * 1024
    programs = divide(problem.batch, problem.hidden_size, most)
    if programs is None:
        raise Unsupported(f"its programs wait for each other, and this GPU can only run {most} at a time")
    launcher = Launcher(programs, TF32 if current() == TF32 else IEEE, together)
    return prepare_module(problem, weights, device, workload, lambda sizes: TritonLSTM(sizes, launcher))
