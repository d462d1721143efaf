"""What a framework says of a GPU, in a process of its own: `python -m tests.gpu.probe FRAMEWORK DEVICE`.

It prints a line of JSON for each question that it could answer. The process is started with a worker's variables, since
the frameworks read them when they start.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.worker import devices, profiles

WORK, REPEATED = {"cuda": 4096, "cpu": 64}, 50
"""The size of the matrices that keep a device busy, and how often they are multiplied: on a GPU some 80 ms or more.

JAX has at most 32 of its computations in flight: what was submitted before is done when the loop ends.
"""
PRODUCTS, CALLS = (1, 8, 64), 200
"""How many products a short call makes that waits for them, and how many such calls are made."""


@dataclass(frozen=True)
class Framework:
    """A framework's name of the device, how to put an array there, to multiply two, and to wait for a product."""

    name: str
    put: Callable[[Any], Any]
    multiply: Callable[[Any, Any], Any]
    wait: Callable[[Any], object]


def with_torch(device: str) -> Framework:
    """Return PyTorch."""
    import torch

    from impls.families.torch import device_of, wait_for

    target = device_of(device)
    name = torch.cuda.get_device_name(target) if device == "cuda" else device
    synchronize = wait_for(target)
    return Framework(name, lambda array: torch.as_tensor(array).to(target), torch.matmul, lambda _: synchronize())


def with_jax(device: str) -> Framework:
    """Return JAX."""
    import jax
    import jax.numpy as jnp

    from impls.families.jax import device_of

    target = device_of(device)
    put = functools.partial(jax.device_put, device=target)
    return Framework(target.device_kind, put, jax.jit(jnp.matmul), jax.block_until_ready)


FRAMEWORKS = {"torch": with_torch, "jax": with_jax}


def say(**answers: object) -> None:
    """Print answers: what comes after may fail."""
    print(json.dumps(answers), flush=True)


def waits(call: Callable[[], object], drain: Callable[[], None]) -> list[tuple[float, float]]:
    """Return by how much the suite's first wait after a call took longer than its second, and the call's seconds.

    The call has waited already.
    """
    found = []
    for _ in range(CALLS):
        start = perf_counter()
        call()
        called = perf_counter()
        drain()
        drained = perf_counter()
        drain()
        again = perf_counter() - drained
        found.append((drained - called - again, called - start))
    return found


def main(framework: str, device: str) -> None:
    """Print all answers, in the precision of this process.

    `error` is that of a product of float32 matrices, over its largest element: about 1e-6, and 3e-4 with TF32.
    `drained` and `idle` are the seconds that the suite's wait took with work on the device, and without. `waits` has
    those after calls that had waited, by how many products a call makes. `traced`: for how long the device worked, how
    many kernels it ran and how long that took, of REPEATED products, by CUPTI; None where that is not installed.
    """
    probed = FRAMEWORKS[framework](device)
    say(name=probed.name)
    hardware, rng = devices.Cuda() if device == "cuda" else devices.Cpu(), np.random.default_rng(0)
    a, b = (rng.standard_normal((512, 512)).astype(np.float32) for _ in range(2))
    want = a.astype(np.float64) @ b.astype(np.float64)
    got = np.asarray(probed.multiply(probed.put(a), probed.put(b)).tolist())
    say(error=float(np.abs(got - want).max() / np.abs(want).max()))

    def work() -> None:
        """Keep a GPU busy for a while, and return before it is done."""
        large = product = probed.put(rng.standard_normal((WORK[device],) * 2).astype(np.float32))
        for _ in range(REPEATED):
            product = probed.multiply(product, large)

    work()
    start = perf_counter()
    hardware.drain()
    middle = perf_counter()
    hardware.drain()
    say(drained=middle - start, idle=perf_counter() - middle)

    small = probed.put(np.eye(64, dtype=np.float32))

    def call(products: int) -> None:
        product = small
        for _ in range(products):
            product = probed.multiply(product, small)
        probed.wait(product)

    call(1)  # which compiles
    say(waits={products: waits(functools.partial(call, products), hardware.drain) for products in PRODUCTS})
    if importlib.util.find_spec("cupti") is None:
        say(traced=None)
        return
    start = perf_counter()
    seconds, kernels = profiles.trace(lambda: (work(), hardware.drain()), 1)
    say(traced=(seconds, kernels, perf_counter() - start))


if __name__ == "__main__":
    main(*sys.argv[1:])
