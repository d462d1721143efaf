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

from impls.api import Prepared, Problem, Weights
from impls.families import native
from impls.families.torch import prepare_module
from impls.families.torch_recurrence import Loops, RecurrentLSTM, quickest

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


def call(name: str, sizes: tuple[int, ...], *tensors: Tensor) -> None:
    """Call a function of lstm.h on dense tensors of one dtype."""
    function(name, tensors[0].dtype)(*sizes, *[tensor.data_ptr() for tensor in tensors], torch.get_num_threads())


def forward(z: Tensor, weight_hh: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    """See Loops; z becomes the gates' values."""
    steps, (batch, hidden) = len(z), h.shape[-2:]
    all_h, all_c = z.new_empty(steps + 1, batch, hidden), z.new_empty(steps, batch, hidden)
    all_h[0] = h
    call("forward", (steps, batch, hidden), z, h, c, weight_hh, z, all_h[1:], all_c)
    return all_h, all_c[-1], c, all_c


def backward(
    gates: Tensor, weight_hh: Tensor, c0: Tensor, all_c: Tensor, d_output: Tensor, d_h: Tensor, d_c: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """See Loops."""
    d_z, d_h0, d_c0 = torch.empty_like(gates), torch.empty_like(c0), torch.empty_like(c0)
    cotangents = d_output.contiguous(), d_h.contiguous(), d_c.contiguous()
    call("backward", tuple(all_c.shape), *cotangents, gates, c0, all_c, weight_hh, d_z, d_h0, d_c0)
    return d_z, d_h0, d_c0


LOOPS = Loops(forward, backward, quickest)


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    native.compiler()
    prepared = prepare_module(problem, weights, device, workload, lambda sizes: RecurrentLSTM(sizes, LOOPS))
    return replace(prepared, compiled_before=lambda: native.seconds_before(SOURCE))
