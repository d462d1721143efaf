"""What a framework says of a GPU, in a process of its own: `python -m tests.gpu.probe FRAMEWORK DEVICE`.

It prints a line of JSON for each question that it could answer. The process is started with a worker's variables, since
the frameworks read them when they start.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.worker import devices, profiles

WORK, REPEATED = {"cuda": 4096, "cpu": 64}, 50
"""The size of the matrices that keep a device busy, and how often they are multiplied: on a GPU some 80 ms or more.

JAX has at most 32 of its computations in flight: what was submitted before is done when the loop ends.
"""


def with_torch(device: str) -> tuple[str, Callable[[Any], Any], Callable[[Any, Any], Any]]:
    """Return PyTorch's name of the device, how to put an array there, and how to multiply two."""
    import torch

    from impls.families.torch import device_of

    target = device_of(device)
    name = torch.cuda.get_device_name(target) if device == "cuda" else device
    return name, lambda array: torch.as_tensor(array).to(target), torch.matmul


def with_jax(device: str) -> tuple[str, Callable[[Any], Any], Callable[[Any, Any], Any]]:
    """Return the same of JAX."""
    import jax
    import jax.numpy as jnp

    from impls.families.jax import device_of

    target = device_of(device)
    return target.device_kind, lambda array: jax.device_put(array, target), jax.jit(jnp.matmul)


FRAMEWORKS = {"torch": with_torch, "jax": with_jax}


def say(**answers: object) -> None:
    """Print answers: what comes after may fail."""
    print(json.dumps(answers), flush=True)


def main(framework: str, device: str) -> None:
    """Print all answers, in the precision of this process.

    `error` is that of a product of float32 matrices, over its largest element: about 1e-6, and 3e-4 with TF32.
    `drained` and `idle` are the seconds that the suite's wait took with work on the device, and without. `traced`: for
    how long the device worked, how many kernels it ran and how long that took, of REPEATED products, by CUPTI; None
    where that is not installed.
    """
    name, put, multiply = FRAMEWORKS[framework](device)
    say(name=name)
    hardware, rng = devices.Cuda() if device == "cuda" else devices.Cpu(), np.random.default_rng(0)
    a, b = (rng.standard_normal((512, 512)).astype(np.float32) for _ in range(2))
    want = a.astype(np.float64) @ b.astype(np.float64)
    got = np.asarray(multiply(put(a), put(b)).tolist())
    say(error=float(np.abs(got - want).max() / np.abs(want).max()))

    def work() -> None:
        """Keep a GPU busy for a while, and return before it is done."""
        large = product = put(rng.standard_normal((WORK[device],) * 2).astype(np.float32))
        for _ in range(REPEATED):
            product = multiply(product, large)

    work()
    start = perf_counter()
    hardware.drain()
    middle = perf_counter()
    hardware.drain()
    say(drained=middle - start, idle=perf_counter() - middle)
    start = perf_counter()
    seconds, kernels = profiles.traced(lambda: (work(), hardware.drain()), 1)
    say(traced=None if seconds is None else (seconds, kernels, perf_counter() - start))


if __name__ == "__main__":
    main(*sys.argv[1:])
