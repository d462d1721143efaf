"""What a framework says of a GPU, in a process of its own: `python -m benchmarks.gpu_check.probe FRAMEWORK DEVICE`.

It prints a line of JSON: a Probe, or why there is none. The process is started with a worker's variables, since the
frameworks read them when they start.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import msgspec
import numpy as np

from benchmarks.worker import devices, tracing
from benchmarks.worker.failures import failure_of
from benchmarks.worker.protocol import Failed
from impls.core.precision import TF32, current
from impls.core.text import one_line

SIZE = 512
"""Of the square matrices of the canary."""
WORK, REPEATED = 4096, 50
"""The size of the matrices that keep a GPU busy, and how often they are multiplied: some 80 ms or more.

JAX has at most 32 of its computations in flight: what was submitted before is done when the loop ends.
"""
SIMULATED_SECONDS = 0.08


class Probe(msgspec.Struct, tag=True):
    """What a framework says.

    `error` is that of a product of float32 matrices, over its largest element: about 1e-6, and 3e-4 with TF32.
    `drained` and `idle` are the seconds that the suite's wait took with work on the device, and without. `traced`: for
    how long the device worked and how many kernels it ran in the `wall` seconds of REPEATED products, by CUPTI; None
    where that is not installed. Where something went wrong, `fault` says what, and what comes after it is None.
    """

    name: str
    precision: str
    error: float | None = None
    drained: float | None = None
    idle: float | None = None
    traced: tuple[float, int] | None = None
    wall: float | None = None
    fault: str = ""


@dataclass(frozen=True)
class Framework:
    """A device as a framework has it: its name, the precision of products, how to put an array there and multiply."""

    name: str
    precision: str
    put: Callable[[Any], Any]
    multiply: Callable[[Any, Any], Any]


def with_torch(device: str) -> Framework:
    """Return the device as PyTorch has it."""
    import torch

    from impls.families.torch import device_of

    target = device_of(device)
    precision = str(getattr(torch.backends.cuda.matmul, "fp32_precision", "unknown"))
    name = torch.cuda.get_device_name(target) if device == "cuda" else "simulated"
    return Framework(name, precision, lambda array: torch.as_tensor(array).to(target), torch.matmul)


def with_jax(device: str) -> Framework:
    """Return the device as JAX has it."""
    import jax
    import jax.numpy as jnp

    from impls.families.jax import device_of

    target = device_of(device)
    name = target.device_kind if device == "cuda" else "simulated"
    precision = str(jax.config.jax_default_matmul_precision)  # type: ignore[attr-defined]
    return Framework(name, precision, lambda array: jax.device_put(array, target), jax.jit(jnp.matmul))


FRAMEWORKS = {"torch": with_torch, "jax": with_jax}


def shortened(array: np.ndarray) -> np.ndarray:
    """Return float32 numbers with TF32's 10 bits: what the simulated device does where it is told to use TF32."""
    return ((array.view(np.int32) + 0x1000) & ~0x1FFF).view(np.float32)


def product_error(here: Framework, rng: np.random.Generator) -> float:
    """Return how far a product of float32 matrices is off, over its largest element."""
    a, b = (rng.standard_normal((SIZE, SIZE)).astype(np.float32) for _ in range(2))
    want = a.astype(np.float64) @ b.astype(np.float64)
    short = devices.simulated() is not None and current() == TF32
    given = [shortened(array) if short else array for array in (a, b)]
    got = np.asarray(here.multiply(*map(here.put, given)).tolist())
    return float(np.abs(got - want).max() / np.abs(want).max())


def multiply_large(here: Framework, rng: np.random.Generator) -> None:
    """Keep a GPU busy for a while, and return before it is done."""
    large = product = here.put(rng.standard_normal((WORK, WORK)).astype(np.float32))
    for _ in range(REPEATED):
        product = here.multiply(product, large)


def traced(
    here: Framework, hardware: devices.Device, rng: np.random.Generator, cupti: Any
) -> tuple[tuple[float, int], float]:
    """Return for how long the device works and how many kernels it runs, by CUPTI, and the seconds that pass."""

    def work() -> None:
        multiply_large(here, rng)
        hardware.drain()

    start = perf_counter()
    found = tracing.traced(cupti, work)
    wall = perf_counter() - start
    return (found.seconds, found.kernels) if found else (0.0, 0), wall


def drain_seconds(here: Framework, hardware: devices.Device, rng: np.random.Generator) -> tuple[float, float]:
    """Return how long the suite's wait takes with work on the device, and without."""
    if simulated := devices.simulated():
        simulated.submit(time.sleep, SIMULATED_SECONDS)
    else:
        multiply_large(here, rng)
    seconds = []
    for _ in range(2):
        start = perf_counter()
        hardware.drain()
        seconds.append(perf_counter() - start)
    return seconds[0], seconds[1]


def probe(framework: str, device: str) -> Probe:
    """Return what a framework says of a device, in the precision of this process."""
    here = FRAMEWORKS[framework](device)
    found, rng = Probe(here.name, here.precision), np.random.default_rng(0)
    try:
        found.error = product_error(here, rng)
        found.drained, found.idle = drain_seconds(here, devices.device(device), rng)
        if (cupti := tracing.library()) is not None:
            found.traced, found.wall = traced(here, devices.device(device), rng, cupti)
    except Exception as error:
        found.fault = failure_of(error).reason
    return found


def main(framework: str, device: str) -> None:
    """Print a Probe or a Failed."""
    answer: Probe | Failed
    try:
        answer = probe(framework, device)
    except ModuleNotFoundError as error:
        ours = (error.name or "").partition(".")[0] in (framework, f"{framework}lib")
        answer = Failed("not_installed" if ours else "error", one_line(str(error)))
    except Exception as error:
        answer = failure_of(error)
    print(msgspec.json.encode(answer).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
