"""The peak: multiply-adds in registers alone, on all given threads. It is no LSTM, and no code can be faster.

The multiply-adds are in peak.cpp beside this file. A call does the same number of them for every benchmark, so
that starting the threads never counts. What an LSTM reaches of the peak is a matter of operations per second. Beside
a stream it is one thread for about 30 µs, as long as a step takes: its slowest calls show the machine's own tail.

On a GPU, a call is one large matrix product by PyTorch. That is what the vendor's library reaches, and no limit.
Beside a stream it is a small one: a launch and a wait, which each step needs too.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from impls.api import MODES, Array, Prepared, Problem, Unsupported, Weights
from impls.core.operations import PEAK_MULTIPLY_ADDS, peak_side
from impls.families import compiled
from impls.families.threads import threads

FRAMEWORK = "numpy"
TRACK = "peak"
DTYPES = ("float32", "float64", "bfloat16", "float16")
VARIANTS = ("lengths", "proj_size", "batch_first", "dropout", "resets")
WORKLOADS = ("cell", "sequence", "model", "stream", "train")
ENVIRONMENT = {"OMP_PROC_BIND": "true"}

SOURCE = compiled.FOLDER / "peak.cpp"
STREAM_SIDE = 128
"""n of the (n, n) matrices that are multiplied beside a stream."""
TYPES = {"float32": ctypes.c_float, "float64": ctypes.c_double}


def multiply_adds(dtype: str, each: int = PEAK_MULTIPLY_ADDS, number: int | None = None) -> Callable[[Any], int]:
    """Return a function that does so many on each of some threads, by default on all, and returns how many there were.

    The function raises RuntimeError where the sums have counted another number: work was left out.

    Raises:
        Unsupported: for a dtype that few processors multiply and add in.
    """
    if dtype not in TYPES:
        raise Unsupported(f"no multiply-adds of {dtype} in registers of a CPU")
    run, number = getattr(compiled.library(SOURCE), f"peak_{dtype}"), number or threads()
    run.argtypes = [ctypes.c_int64, TYPES[dtype], TYPES[dtype], ctypes.c_int]
    run.restype = ctypes.c_int64

    def call(_: Any) -> int:
        counted: int = run(each, 1, 1, number)
        if counted != number * each:
            raise RuntimeError(f"the peak did {counted} multiply-adds, not {number * each}")
        return counted

    return call


def product(dtype: str, side: int) -> Callable[[Any], Any]:
    """Return a function that multiplies two matrices (side, side) on the GPU.

    They are random: on ones a GPU needs less power, and its clock is higher than for any real product.
    """
    import torch

    from impls.families.torch import device_of, wait_for

    device = device_of("cuda")
    left, right = (torch.rand(side, side, device=device, dtype=getattr(torch, dtype)) for _ in range(2))
    out, wait = torch.empty_like(left), wait_for(device)

    def call(_: Any) -> Any:
        torch.mm(left, right, out=out)
        wait()
        return out[:1, :1]

    return call


def to_numpy(mode: str, result: Any) -> dict[str, Array]:
    """Return the number of multiply-adds, or a corner of the product."""
    return {"peak": np.asarray(result if isinstance(result, int) else result.float().cpu(), np.float64)}


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py. The weights are not used, and all modes are the same."""
    streams = workload == "stream"
    if device == "cuda":
        call = product(problem.dtype, STREAM_SIDE if streams else peak_side(problem.dtype))
    elif streams:
        call = multiply_adds(problem.dtype, PEAK_MULTIPLY_ADDS // 8, 1)
    else:
        call = multiply_adds(problem.dtype)
    return Prepared(load=lambda _: None, to_numpy=to_numpy, **dict.fromkeys(MODES, call))
