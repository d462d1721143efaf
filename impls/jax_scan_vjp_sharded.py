"""jax_scan_vjp with its batch split over the processors: each processor scans its own rows from first to last step.

XLA works on one step of a scan at a time, and splits few products of that size over threads. Here each processor is a
JAX device, and they wait for each other only where weight gradients are added up.
"""

import contextlib
import os

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from impls.api import Prepared, Problem, Unsupported, Weights
from impls.families.jax import layered, prepare_function
from impls.families.jax_recurrence import layer

FRAMEWORK = "jax"
TRACK = "tuned"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16")

FEWEST_ROWS = 4
"""The fewest rows of the batch for a processor; fewer take longer. docs/decisions/0002-tuned-track.md."""

PROCESSORS = len(os.sched_getaffinity(0))

with contextlib.suppress(RuntimeError, AttributeError):  # JAX has started, or has no such option: prepare raises
    jax.config.update("jax_num_cpu_devices", PROCESSORS)


def shards(batch: int, processors: int) -> int:
    """Return over how many processors a batch is split: the most that divide it and get FEWEST_ROWS each."""
    return max(n for n in range(1, processors + 1) if n == 1 or (batch % n == 0 and batch // n >= FEWEST_ROWS))


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    devices = jax.devices("cpu")
    if len(devices) < PROCESSORS:
        raise Unsupported(f"JAX started in this process without JAX_NUM_CPU_DEVICES={PROCESSORS}")
    mesh = Mesh(np.array(devices[: shards(problem.batch, PROCESSORS)]), ("batch",))

    def placement(batch_axis: int | None) -> NamedSharding:
        axes = () if batch_axis is None else (*[None] * batch_axis, "batch")
        return NamedSharding(mesh, PartitionSpec(*axes))

    return prepare_function(problem, weights, device, workload, layered(problem, layer), placement=placement)
