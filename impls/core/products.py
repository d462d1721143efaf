"""Matrix products by every library here that has them."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch


class Products(NamedTuple):
    """Products of (m, k) and (k, n), `times` of them, one after another. Their right-hand sides are the same array."""

    times: int
    m: int
    k: int
    n: int

    @property
    def operations(self) -> int:
        """The floating-point operations of all of them."""
        return 2 * self.times * self.m * self.k * self.n

    @property
    def id(self) -> str:
        """Such as `64 x 16,128,512`."""
        return f"{self.times} x {self.m},{self.k},{self.n}"


Run = Callable[[], Any]
"""A function that does some products and returns all their results."""


class Library(Protocol):
    """A library that multiplies matrices."""

    name: str

    def prepare(self, products: Products) -> Run:
        """Make operands, laid out as the library likes them best, and return what multiplies them."""


class PyTorch:
    """torch.mm: MKL on most processors, cuBLAS on a GPU.

    On a GPU the operands are random: on ones it needs less power, and its clock is higher than for any real product.
    """

    name = "PyTorch"

    def __init__(self, device: str, dtype: str) -> None:
        self.options: dict[str, Any] = {"device": device, "dtype": getattr(torch, dtype)}
        self.make = torch.rand if device == "cuda" else torch.ones

    def prepare(self, products: Products) -> Run:
        """See Library. On a GPU, the results are not there when the call returns."""
        times, m, k, n = products
        a, b, out = (self.make(shape, **self.options) for shape in ((times, m, k), (k, n), (times, m, n)))
        pairs = list(zip(a.unbind(), out.unbind(), strict=True))

        def run() -> Any:
            for left, result in pairs:
                torch.mm(left, b, out=result)
            return out

        return run


class OneDNN:
    """oneDNN, as torch.compile calls it, on weights that lie as oneDNN likes them. nn.LSTM uses oneDNN on the CPU.

    The two operators are private to PyTorch: `libraries` tries whether they work.
    """

    name = "oneDNN"

    def __init__(self, dtype: str) -> None:
        if dtype != "float32" or not torch.backends.mkldnn.is_available():
            raise ValueError("oneDNN's products are in float32 only")

    def prepare(self, products: Products) -> Run:
        """See Library."""
        times, m, k, n = products
        multiply = torch.ops.mkldnn._linear_pointwise
        a = torch.ones(times, m, k).unbind()
        packed = torch.ops.mkldnn._reorder_linear_weight(torch.ones(n, k), m)
        return lambda: [multiply(left, packed, None, "none", [], "") for left in a]


class NumPy:
    """np.matmul, which calls its BLAS for one product after another."""

    name = "NumPy"

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def prepare(self, products: Products) -> Run:
        """See Library."""
        times, m, k, n = products
        a, b, out = (np.ones(shape, self.dtype) for shape in ((times, m, k), (k, n), (times, m, n)))
        return lambda: np.matmul(a, b, out=out)


class NumPyDivided:
    """np.matmul on all processors at once: each multiplies its share of the rows, with a BLAS of one thread.

    The rows of a batch do not depend on each other, so no processor waits for another between two steps. Where the rows
    can't be divided, one processor does all.
    """

    name = "NumPy divided"

    def __init__(self, dtype: str) -> None:
        from threadpoolctl import ThreadpoolController

        self.dtype = dtype
        processors = list(os.sched_getaffinity(0))
        self.parts = len(processors)
        self.blas = ThreadpoolController().select(user_api="blas").lib_controllers
        if self.parts == 1 or not self.blas:
            raise ValueError("there is a single processor, or NumPy's BLAS can't be told its number of threads")
        # otherwise the kernel often wakes one thread on the other's processor
        self.pool = ThreadPoolExecutor(self.parts, initializer=lambda: os.sched_setaffinity(0, {processors.pop()}))

    def prepare(self, products: Products) -> Run:
        """See Library."""
        times, m, k, n = products
        share = m // self.parts if m % self.parts == 0 else m
        shares = [slice(start, start + share) for start in range(0, m, share)]
        a, b, out = (np.ones(shape, self.dtype) for shape in ((times, m, k), (k, n), (times, m, n)))

        def multiply(rows: slice) -> None:
            np.matmul(a[:, rows], b, out=out[:, rows])

        def run() -> Any:
            threads = [blas.get_num_threads() for blas in self.blas]
            for blas in self.blas:
                blas.set_num_threads(1)
            for done in [self.pool.submit(multiply, rows) for rows in shares]:
                done.result()
            for blas, before in zip(self.blas, threads, strict=True):
                blas.set_num_threads(before)
            return out

        return run


class XLA:
    """jax.jit: a scan over the products, so that they are one call. Each processor multiplies its share of the rows."""

    name = "XLA"

    def __init__(self, dtype: str) -> None:
        import jax

        processors = len(os.sched_getaffinity(0))
        with contextlib.suppress(RuntimeError, AttributeError):  # JAX has started, or has no such option
            jax.config.update("jax_num_cpu_devices", processors)
        self.devices = jax.devices("cpu")[:processors]
        self.dtype = dtype
        if dtype == "float64" and not jax.config.jax_enable_x64:  # type: ignore[attr-defined]
            raise ValueError("JAX was started without JAX_ENABLE_X64")

    def prepare(self, products: Products) -> Run:
        """See Library."""
        import jax
        from jax.sharding import Mesh, NamedSharding, PartitionSpec

        times, m, k, n = products
        devices = self.devices if m % len(self.devices) == 0 else self.devices[:1]
        mesh = Mesh(np.array(devices), ("rows",))
        a = jax.device_put(np.ones((times, m, k), self.dtype), NamedSharding(mesh, PartitionSpec(None, "rows")))
        b = jax.device_put(np.ones((k, n), self.dtype), NamedSharding(mesh, PartitionSpec()))
        return lambda: scanned()(a, b).block_until_ready()


@functools.cache
def scanned() -> Any:
    """Return the jitted function of a (times, m, k) and b (k, n) that gives all products, (times, m, n)."""
    import jax

    def multiply(a: Any, b: Any) -> Any:
        return jax.lax.scan(lambda _, left: (None, jax.lax.dot(left, b, precision="highest")), None, a)[1]

    return jax.jit(multiply)


@functools.cache
def library(name: str, device: str, dtype: str) -> Library:
    """Return a library, once for a process.

    Raises:
        ValueError: where it cannot multiply here, or says so in another way: JAX may be absent, and oneDNN's operators
            may change.
    """
    if name == PyTorch.name:
        return PyTorch(device, dtype)
    if device != "cpu":
        raise ValueError(f"{name} has no products on {device}")
    try:
        makers: dict[str, Callable[[str], Library]] = {
            OneDNN.name: OneDNN,
            NumPy.name: NumPy,
            NumPyDivided.name: NumPyDivided,
            XLA.name: XLA,
        }
        found = makers[name](dtype)
        results = found.prepare(Products(2, 2, 3, 4))()
    except (ImportError, AttributeError, TypeError, RuntimeError) as error:
        raise ValueError(f"{name} does not work here: {error}") from None
    if not all((np.asarray(result) == 3).all() for result in results):
        raise ValueError(f"{name} multiplies wrongly")
    return found


def libraries(device: str, dtype: str) -> dict[str, Library]:
    """Return the libraries that can multiply on a device, by name."""
    found = {}
    for name in (PyTorch.name, OneDNN.name, NumPy.name, NumPyDivided.name, XLA.name):
        with contextlib.suppress(ValueError):
            found[name] = library(name, device, dtype)
    return found


def dispatch() -> dict[str, str]:
    """Return which instructions the libraries of this process say that they take."""
    from threadpoolctl import threadpool_info

    blas = {str(pool["architecture"]) for pool in threadpool_info() if pool.get("architecture")}
    return {"PyTorch": torch.backends.cpu.get_cpu_capability(), **({"BLAS": ", ".join(sorted(blas))} if blas else {})}
