"""The floor: the bare matrix products that any LSTM of a problem must do, and nothing else. It is no LSTM.

Forward: x @ W_ih.T for all steps at once, then h @ W_hh.T step by step, since each step needs the one before.
Backward: dz @ W_hh step by step, then dW_ih, dW_hh and dx, each in one product over T·B rows. `model` needs no dx.
The operands are made up. The results mean nothing and are compared with nothing.

On the CPU, every library of impls/core/products.py is tried, and the quickest does the products. Which library that is
depends on the shape and the processor, up to a factor of four. A run chooses once for each problem, workload and mode.
It keeps its choices in the file that the variable LSTM_BENCH_FLOOR names, so every process of the run does the same.
On a GPU, PyTorch does them, as one CUDA graph.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from impls.core import products, rates
from impls.core.contract import FLOOR_CHOICES, Prepared
from impls.core.files import write_text
from impls.core.problem import Problem
from impls.core.products import Products, Run
from impls.core.weights import Array, Inputs, Weights, layers
from impls.families.torch import device_of, wait_for
from impls.families.torch_graph import captured

FRAMEWORK = "torch"
TRACK = "floor"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64")

PLAN_SECONDS = 0.05
"""The least seconds for which a plan for a mode is tried."""

MIXED = 0.9
"""A plan of several libraries must take less than this share of the best single one's time. The idle threads of one
library spin on the processors that the next one needs. How much they disturb it varies, so a short trial may miss it.
"""
UNSTEADY = {products.XLA.name: 0.85}
"""The share of its rate that counts of a library. The kernel often wakes two of XLA's threads on the same processor."""

Plan = dict[str, str]
"""By the id of some products: the name of the library that does them."""


def forward(problem: Problem) -> list[Products]:
    """Return the products of a forward pass, in their order."""
    rows, hidden, gates = problem.seq_len * problem.batch, problem.hidden_size, 4 * problem.hidden_size
    return [
        done
        for _, _, width in layers(problem)
        for done in (Products(1, rows, width, gates), Products(problem.seq_len, problem.batch, hidden, gates))
    ]


def backward(problem: Problem, workload: str) -> list[Products]:
    """Return the products of a backward pass."""
    rows, hidden, gates = problem.seq_len * problem.batch, problem.hidden_size, 4 * problem.hidden_size
    found = []
    for layer, _, width in layers(problem):
        found += [Products(problem.seq_len, problem.batch, gates, hidden)]
        found += [Products(1, gates, rows, width), Products(1, gates, rows, hidden)]
        found += [Products(1, rows, gates, width)] if workload != "model" or layer > 0 else []
    return found


def modes(problem: Problem, workload: str) -> dict[str, list[Products]]:
    """Return the products of each mode."""
    ahead, back = forward(problem), backward(problem, workload)
    return {"forward": ahead, "forward_train": ahead, "backward": back, "train_step": ahead + back}


def peak(device: str, dtype: str) -> dict[str, float]:
    """Measure for each library the best rate of a large matrix product, in floating-point operations per second."""
    with torch.inference_mode():
        return rates.peaks(device_of(device).type, dtype, wait_for(device_of(device)))


def dispatch() -> dict[str, str]:
    """Return which instructions the libraries of this process say that they take."""
    return products.dispatch()


def choose(problem: Problem, workload: str, device: str) -> tuple[dict[str, Plan], rates.Rates]:
    """Return the quickest plan of each mode, and the rates that were measured on the way.

    Tried are the quickest library for each shape, and the library that is quickest for all of them.
    """
    candidates = products.libraries(device, problem.dtype)
    wanted = modes(problem, workload)
    if len(candidates) == 1:
        return {mode: dict.fromkeys((p.id for p in listed), *candidates) for mode, listed in wanted.items()}, {}
    found = rates.rates(wanted["train_step"], candidates)

    @functools.cache
    def made(place: int, name: str, done: Products) -> Run:  # each place has operands of its own
        return candidates[name].prepare(done)

    def counted(name: str, done: Products) -> float:
        return found[done.id][name] * UNSTEADY.get(name, 1.0)

    plans: dict[str, Plan] = {}
    for mode in ("forward", "backward", "train_step"):
        listed = wanted[mode]
        mixed = {p.id: max(candidates, key=lambda name: counted(name, p)) for p in listed}
        alone = min(candidates, key=lambda name: sum(p.operations / counted(name, p) for p in listed))
        tried = [dict.fromkeys(mixed, alone), *([mixed] if set(mixed.values()) != {alone} else [])]
        runs = [[made(place, plan[p.id], p) for place, p in enumerate(listed)] for plan in tried]
        plans[mode] = tried[rates.quickest(runs, PLAN_SECONDS, MIXED)]
    return {**plans, "forward_train": plans["forward"]}, found


@functools.cache
def chosen(problem: Problem, workload: str, device: str) -> dict[str, Plan]:
    """Return the plan of each mode: those that the run has chosen before, or else chooses now."""
    path = Path(os.environ[FLOOR_CHOICES]) if os.environ.get(FLOOR_CHOICES) else None
    kept = json.loads(path.read_text(encoding="utf-8")) if path is not None and path.exists() else {}
    kept = {"plans": {}, "rates": {}, **kept}
    key = f"{problem.id}/{workload}"
    try:
        for mode, listed in modes(problem, workload).items():
            for done in listed:
                products.library(kept["plans"][key][mode][done.id], device, problem.dtype)
    except (KeyError, ValueError):  # not chosen yet, or not for this process
        kept["plans"][key], found = choose(problem, workload, device)
        kept["rates"].setdefault(problem.dtype, {}).update(found)
        if path is not None:
            write_text(path, json.dumps(kept, indent=1) + "\n")
    return kept["plans"][key]  # type: ignore[no-any-return]


def in_one_launch(runs: Sequence[Run], cuda: Any = torch.cuda) -> list[Run]:
    """Return what does these products on a GPU as one CUDA graph, and returns the results of the last.

    Launched one by one, small products take as long as their launches do: an LSTM by cuDNN would be faster.
    """
    return [captured(lambda: [multiply() for multiply in runs][-1], cuda)]


def to_numpy(mode: str, results: list[Any]) -> dict[str, Array]:
    """Return the last product of all."""
    last = results[-1][-1]
    return {"z": np.asarray(last.cpu() if isinstance(last, torch.Tensor) else last, np.float64)}


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py. The weights are not used."""
    wait, kind = wait_for(device_of(device)), device_of(device).type
    wanted = modes(problem, workload)
    with torch.inference_mode():
        plans = chosen(problem, workload, kind)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def load(inputs: Inputs) -> dict[str, list[Run]]:
        @functools.cache
        def made(place: int, name: str, done: Products) -> Run:
            return products.library(name, kind, problem.dtype).prepare(done)

        first = {"backward": len(wanted["forward"])}  # a train_step does them after the forward pass
        runs = {
            mode: [made(first.get(mode, 0) + k, plans[mode][p.id], p) for k, p in enumerate(listed)]
            for mode, listed in wanted.items()
        }
        return {mode: in_one_launch(listed) for mode, listed in runs.items()} if kind == "cuda" else runs

    def call(mode: str) -> Callable[[dict[str, list[Run]]], Any]:
        @torch.inference_mode()  # type: ignore[untyped-decorator]
        def run(state: dict[str, list[Run]]) -> Any:
            results = [multiply() for multiply in state[mode]]
            wait()
            return results

        return run  # type: ignore[no-any-return]

    return Prepared(
        load=load,
        to_numpy=to_numpy,
        **{mode: call(mode) for mode in wanted},
    )
