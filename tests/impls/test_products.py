"""Every library does every product of its operands, none is dropped, and how fast they are is told apart."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from impls.core import products, rates
from impls.core.products import Products

SHAPES = [Products(1, 1, 1, 1), Products(3, 2, 5, 7), Products(1, 4, 9, 2), Products(5, 1, 3, 4), Products(2, 6, 8, 3)]
EVERY = [(name, dtype) for dtype in ("float32", "float64") for name in products.libraries("cpu", dtype)]


DIVIDED = [products.NumPyDivided.name] if len(os.sched_getaffinity(0)) > 1 else []


def test_rows_are_divided_among_processors_by_a_blas_of_one_thread():
    if not DIVIDED:
        pytest.skip("there is a single processor")
    library = products.NumPyDivided("float32")
    seen = []
    library.pool = SimpleNamespace(submit=lambda multiply, rows: seen.append((rows, threads())) or pool.submit(int))
    pool = ThreadPoolExecutor(1)

    def threads():
        return {blas.get_num_threads() for blas in library.blas}

    before = threads()
    library.prepare(Products(2, 3 * library.parts, 5, 7))()
    assert [rows for rows, _ in seen] == [slice(3 * part, 3 * part + 3) for part in range(library.parts)]
    assert all(inside == {1} for _, inside in seen)
    assert threads() == before
    seen.clear()
    library.prepare(Products(2, 1, 5, 7))()
    assert [rows for rows, _ in seen] == [slice(0, 1)]


def test_every_library_is_here():
    """Otherwise the tests below would pass on fewer: torch and jax are both in the tests' environment."""
    assert list(products.libraries("cpu", "float32")) == ["PyTorch", "oneDNN", "NumPy", *DIVIDED, "XLA"]
    assert list(products.libraries("cpu", "float64")) == ["PyTorch", "NumPy", *DIVIDED, "XLA"]


@pytest.mark.parametrize(("name", "dtype"), EVERY)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.id)
def test_every_product_is_there_and_right(name, dtype, shape):
    """Every operand is 1, so each element of a product is the length of its inner axis."""
    results = products.library(name, "cpu", dtype).prepare(shape)()
    stacked = np.stack([np.asarray(result) for result in results])
    assert stacked.dtype == dtype
    np.testing.assert_array_equal(stacked, np.full((shape.times, shape.m, shape.n), shape.k, dtype))


def test_xla_does_the_steps_one_after_another():
    """All steps in one product of T·B rows would be no floor: a step needs the one before."""
    import jax

    a, b = jax.numpy.ones((6, 3, 5)), jax.numpy.ones((5, 7))
    compiled = products.scanned().lower(a, b).compile().as_text()
    assert " while(" in compiled
    assert "[18,7]" not in compiled
    at_once = jax.jit(lambda a, b: (a.reshape(18, 5) @ b).reshape(6, 3, 7)).lower(a, b).compile().as_text()
    assert " while(" not in at_once
    assert "[18,7]" in at_once


class Wrong(products.NumPy):
    """Gives sums that are wrong."""

    def prepare(self, done):
        run = super().prepare(done)
        return lambda: run() + 1


BROKEN = [ModuleNotFoundError("jax"), AttributeError("ops"), TypeError("schema"), NotImplementedError("cpu"), Wrong]


@pytest.mark.parametrize("broken", BROKEN, ids=str)
@pytest.mark.parametrize("name", ["OneDNN", "NumPy", "XLA"])
def test_a_library_that_does_not_work_here_is_left_out(name, broken, monkeypatch):
    class Other:
        def __new__(cls, dtype):
            if isinstance(broken, Exception):
                raise broken
            return broken(dtype)

    Other.name = getattr(products, name).name
    before = list(products.libraries("cpu", "float32"))
    monkeypatch.setattr(products, "library", products.library.__wrapped__)
    monkeypatch.setattr(products, name, Other)
    assert list(products.libraries("cpu", "float32")) == [each for each in before if each != Other.name]


class Slow(products.NumPy):
    """Far slower than any product here: only the order matters."""

    def prepare(self, done):
        run = super().prepare(done)
        return lambda: (time.sleep(0.01), run())[1]


def test_rates_and_plans_tell_slow_from_quick():
    shape = Products(2, 3, 4, 5)
    found = rates.rates([shape, shape], {"slow": Slow("float32"), "quick": products.NumPy("float32")})
    assert list(found) == [shape.id]
    assert found[shape.id]["quick"] > found[shape.id]["slow"] > 0
    plans = [[library.prepare(shape)] for library in (Slow("float32"), products.NumPy("float32"))]
    assert rates.quickest(plans, 0.001) == 1
    assert rates.quickest(plans[::-1], 0.001) == 0
    assert rates.quickest(plans[:1], 0.001) == 0
    assert rates.quickest(plans, 0.001, share=1e-9) == 0  # the first, unless another takes much less


@pytest.mark.parametrize(("least", "a_call", "calls"), [(1.0, 0.25, 4), (1.0, 1.0, 3), (1.0, 20.0, 1)])
def test_a_trial_ends(least, a_call, calls, monkeypatch):
    """With calls that take so long by a clock of our own."""
    clock = [0.0]

    def run():
        clock[0] += a_call

    monkeypatch.setattr(rates.time, "perf_counter", lambda: clock[0])
    assert rates.seconds(run, least) == [a_call] * calls
