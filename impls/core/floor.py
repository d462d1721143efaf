"""The floor: the bare matrix products that any LSTM of a problem must do, and nothing else. It is no LSTM.

Forward: x @ W_ih.T for all steps at once, then h @ W_hh.T step by step, since each step needs the one before.
Backward: dz @ W_hh step by step, then dW_ih, dW_hh and dx, each in one product over T·B rows. `model` needs no dx.
The operands are made up. The results mean nothing and are compared with nothing.

On the CPU the products are PyTorch's or NumPy's, whichever takes less time. Which library is faster depends on the
size and the processor, up to a factor of two. A run chooses once for each problem and workload. It keeps its choices in
the file that the variable LSTM_BENCH_FLOOR names, so every process of the run uses the same library.
"""

from __future__ import annotations

import functools
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from impls.core.contract import FLOOR_CHOICES, Prepared
from impls.core.files import write_text
from impls.core.problem import Problem
from impls.core.weights import Inputs, Weights, layers
from impls.families.torch import device_of, wait_for

FRAMEWORK = "torch"
TRACK = "floor"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64")

TRIES, SECONDS = 3, 0.1
"""The least number of training steps and the least seconds that each library is tried for. The quickest step counts:
idle threads of the other library spin for tens of milliseconds on the same processors."""

PEAK_SECONDS = 1.0
"""After so many seconds at a size, a library is not tried there again."""


class Torch:
    """PyTorch's matrix product."""

    name = "PyTorch"

    def __init__(self, device: str, dtype: str) -> None:
        self.device, self.dtype = device_of(device), getattr(torch, dtype)
        self.wait = wait_for(self.device)

    def ones(self, *shape: int) -> Any:
        """Make an operand."""
        return torch.ones(shape, dtype=self.dtype, device=self.device)

    def product(self, a: Any, b: Any, out: Any) -> None:
        """Write a @ b to out."""
        torch.mm(a, b, out=out)


class NumPy:
    """NumPy's matrix product, on the CPU only."""

    name = "NumPy"

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def wait(self) -> None:
        """Return at once: NumPy computes before it returns."""

    def ones(self, *shape: int) -> Any:
        """Make an operand."""
        return np.ones(shape, self.dtype)

    def product(self, a: Any, b: Any, out: Any) -> None:
        """Write a @ b to out."""
        np.matmul(a, b, out=out)


Library = Torch | NumPy


def libraries(device: str, dtype: str) -> list[Library]:
    """Return the libraries that can multiply on a device."""
    return [Torch(device, dtype), *([NumPy(dtype)] if device == "cpu" else [])]


class Products:
    """The operands and outputs of one direction of one layer."""

    def __init__(self, problem: Problem, width: int, needs_dx: bool, library: Library) -> None:
        rows, hidden, gates = problem.seq_len * problem.batch, problem.hidden_size, 4 * problem.hidden_size
        ones, self.product = library.ones, library.product
        self.x, self.h = ones(rows, width), ones(rows, hidden)
        self.weight_ih, self.weight_hh = ones(gates, width), ones(gates, hidden)
        # contiguous: for few rows, MKL takes three times as long on a transposed view
        self.recurrent = ones(hidden, gates)
        self.z, self.dx = ones(rows, gates), ones(rows, width) if needs_dx else None
        self.dh = ones(rows, hidden)
        steps = [slice(start, start + problem.batch) for start in range(0, rows, problem.batch)]
        self.steps_h, self.steps_z, self.steps_dh = ([a[step] for step in steps] for a in (self.h, self.z, self.dh))
        self.d_weight_ih, self.d_weight_hh = ones(gates, width), ones(gates, hidden)

    def forward(self) -> None:
        self.product(self.x, self.weight_ih.T, self.z)
        for h, z in zip(self.steps_h, self.steps_z, strict=True):
            self.product(h, self.recurrent, z)

    def backward(self) -> None:
        for dh, z in zip(self.steps_dh, self.steps_z, strict=True):
            self.product(z, self.weight_hh, dh)
        self.product(self.z.T, self.x, self.d_weight_ih)
        self.product(self.z.T, self.h, self.d_weight_hh)
        if self.dx is not None:
            self.product(self.z, self.weight_ih, self.dx)


def peak(device: str, dtype: str) -> tuple[float, str]:
    """Measure the machine's peak: the best rate of a large matrix product, over some sizes, tries and libraries.

    Returns:
        Floating-point operations per second, and the name of the library that reached them.
    """
    best, name = 0.0, ""
    for n in (1024, 2048, 4096) if device == "cpu" else (4096, 8192):
        for library in libraries(device, dtype):
            a, b, c = (library.ones(n, n) for _ in range(3))
            begin = time.perf_counter()
            for _ in range(4):
                start = time.perf_counter()
                library.product(a, b, c)
                library.wait()
                end = time.perf_counter()
                if 2 * n**3 / (end - start) > best:
                    best, name = 2 * n**3 / (end - start), library.name
                if end - begin > PEAK_SECONDS:
                    break
    return best, name


def operands(problem: Problem, workload: str, library: Library) -> list[Products]:
    """Make the operands of every layer and direction."""
    return [Products(problem, width, workload != "model" or layer > 0, library) for layer, _, width in layers(problem)]


def least_seconds(parts: list[Products]) -> float:
    """Return the seconds of the quickest of some training steps."""
    best, tries, end = math.inf, 0, time.perf_counter() + SECONDS
    while tries < TRIES or time.perf_counter() < end:
        start = time.perf_counter()
        for products in parts:
            products.forward()
        for products in parts:
            products.backward()
        best, tries = min(best, time.perf_counter() - start), tries + 1
    return best


def quickest(problem: Problem, workload: str, candidates: list[Library]) -> Library:
    """Return the library that takes the least time for a training step."""
    with torch.inference_mode():
        return min(candidates, key=lambda library: least_seconds(operands(problem, workload, library)))


@functools.cache
def chosen(problem: Problem, workload: str, device: str) -> Library:
    """Return the library for a problem and workload: the one that the run has chosen before, or else chooses now."""
    candidates = libraries(device, problem.dtype)
    path = Path(os.environ[FLOOR_CHOICES]) if os.environ.get(FLOOR_CHOICES) else None
    choices = json.loads(path.read_text(encoding="utf-8")) if path is not None and path.exists() else {}
    key = f"{problem.id}/{workload}"
    for library in candidates:
        if library.name == choices.get(key) or len(candidates) == 1:
            return library
    library = quickest(problem, workload, candidates)
    if path is not None:
        write_text(path, json.dumps({**choices, key: library.name}, indent=1) + "\n")
    return library


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py. The weights are not used."""
    library = chosen(problem, workload, device)

    def mode(*passes: Callable[[Products], None]) -> Callable[[list[Products]], Any]:
        @torch.inference_mode()  # type: ignore[untyped-decorator]
        def run(state: list[Products]) -> Any:
            for run_pass in passes:
                for products in state:
                    run_pass(products)
            library.wait()
            return state[-1].z

        return run  # type: ignore[no-any-return]

    def load(inputs: Inputs) -> list[Products]:
        return operands(problem, workload, library)

    return Prepared(
        load=load,
        to_numpy=lambda _, result: {"z": torch.as_tensor(result).cpu().double().numpy()},
        forward=mode(Products.forward),
        forward_train=mode(Products.forward),
        backward=mode(Products.backward),
        train_step=mode(Products.forward, Products.backward),
    )
