"""The floor: the bare matrix products that any LSTM of a problem must do, and nothing else. Not an LSTM.

Forward: x @ W_ih.T for all steps at once, then h @ W_hh.T step by step, since each needs the one before.
Backward: dz @ W_hh step by step, then dW_ih, dW_hh and dx, each in one product over T·B rows. `model` needs no dx.
Operands are made up; the results mean nothing and are compared with nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from impls.contract import Prepared
from impls.problem import Problem
from impls.torch_common import place_of, wait_for
from impls.weights import Inputs, Weights, layers

FRAMEWORK = "torch"
TRACK = "floor"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64")


class Products:
    """The operands and outputs of one direction of one layer."""

    def __init__(self, problem: Problem, width: int, needs_dx: bool, like: Tensor) -> None:
        rows, hidden, gates = problem.seq_len * problem.batch, problem.hidden_size, 4 * problem.hidden_size
        self.x, self.h = like.new_ones(rows, width), like.new_ones(rows, hidden)
        self.weight_ih, self.weight_hh = like.new_ones(gates, width), like.new_ones(gates, hidden)
        # contiguous either way: for few rows, MKL takes three times as long on a transposed view
        self.recurrent = like.new_ones(hidden, gates)
        self.z, self.dx = like.new_ones(rows, gates), like.new_ones(rows, width) if needs_dx else None
        self.dh = like.new_ones(rows, hidden)
        self.steps_h, self.steps_z, self.steps_dh = (a.split(problem.batch) for a in (self.h, self.z, self.dh))
        self.d_weight_ih, self.d_weight_hh = like.new_ones(gates, width), like.new_ones(gates, hidden)

    def forward(self) -> None:
        torch.mm(self.x, self.weight_ih.t(), out=self.z)
        for h, z in zip(self.steps_h, self.steps_z, strict=True):
            torch.mm(h, self.recurrent, out=z)

    def backward(self) -> None:
        for dh, z in zip(self.steps_dh, self.steps_z, strict=True):
            torch.mm(z, self.weight_hh, out=dh)
        torch.mm(self.z.t(), self.x, out=self.d_weight_ih)
        torch.mm(self.z.t(), self.h, out=self.d_weight_hh)
        if self.dx is not None:
            torch.mm(self.z, self.weight_ih, out=self.dx)


def peak(device: str, dtype: str) -> float:
    """Floating-point operations per second of one large matrix product: the best of some sizes and tries."""
    place = place_of(device)
    wait = wait_for(place)
    best = 0.0
    for n in (1024, 2048, 4096) if device == "cpu" else (4096, 8192):
        a, b, c = (torch.ones(n, n, dtype=getattr(torch, dtype), device=place) for _ in range(3))
        for _ in range(4):
            start = time.perf_counter()
            torch.mm(a, b, out=c)
            wait()
            best = max(best, 2 * n**3 / (time.perf_counter() - start))
    return best


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/contract.py; the weights are not used."""
    place = place_of(device)
    wait = wait_for(place)
    like = torch.empty(0, dtype=getattr(torch, problem.dtype), device=place)

    def load(inputs: Inputs) -> list[Products]:
        return [Products(problem, width, workload != "model" or layer > 0, like) for layer, _, width in layers(problem)]

    def mode(*passes: Callable[[Products], None]) -> Callable[[list[Products]], Any]:
        @torch.inference_mode()  # type: ignore[untyped-decorator]
        def run(state: list[Products]) -> Tensor:
            for one_pass in passes:
                for products in state:
                    one_pass(products)
            wait()
            return state[-1].z

        return run  # type: ignore[no-any-return]

    return Prepared(
        load=load,
        to_numpy=lambda _, result: {"z": result.detach().cpu().double().numpy()},
        forward=mode(Products.forward),
        forward_train=mode(Products.forward),
        backward=mode(Products.backward),
        train_step=mode(Products.forward, Products.backward),
    )
