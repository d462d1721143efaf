"""jax_scan_vjp, its batch shared out over the processors: each scans its own rows from the first step to the last.

XLA works on one step of a scan at a time, and splits few products of that size over threads. As devices of their own,
the processors meet only where weight gradients are added up.
"""

from __future__ import annotations

import contextlib
import os
from functools import partial

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from impls.core.contract import Prepared, Unsupported
from impls.core.problem import Problem
from impls.core.weights import Weights
from impls.families.jax import prepare_function, stack
from impls.families.jax_recurrence import layer

FRAMEWORK = "jax"
TRACK = "tuned"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")

FEWEST_ROWS = 4
"""Of the batch, for a processor of its own; with fewer it takes longer. docs/decisions/0002-tuned-track.md."""

PROCESSORS = len(os.sched_getaffinity(0))

with contextlib.suppress(RuntimeError, AttributeError):  # JAX has started, or has no such option; prepare will tell
    jax.config.update("jax_num_cpu_devices", PROCESSORS)


def shards(batch: int, processors: int) -> int:
    """Over how many processors a batch goes: as many as divide it and have FEWEST_ROWS each."""
    return max(n for n in range(1, processors + 1) if n == 1 or (batch % n == 0 and batch // n >= FEWEST_ROWS))


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    devices = jax.devices("cpu")
    if len(devices) < PROCESSORS:
        raise Unsupported(f"JAX started in this process without JAX_NUM_CPU_DEVICES={PROCESSORS}")
    mesh = Mesh(np.array(devices[: shards(problem.batch, PROCESSORS)]), ("batch",))

    def place(batch_axis: int | None) -> NamedSharding:
        axes = () if batch_axis is None else (*[None] * batch_axis, "batch")
        return NamedSharding(mesh, PartitionSpec(*axes))

    def lstm(params: dict[str, jax.Array], x: jax.Array, h0: jax.Array, c0: jax.Array) -> tuple[jax.Array, ...]:
        return stack(problem, partial(layer, params), x, h0, c0)

    return prepare_function(problem, weights, device, workload, lstm, place=place)
