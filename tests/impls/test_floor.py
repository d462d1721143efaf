"""The floor does every product that an LSTM must do, in each library, and the quicker library is chosen."""

import time

import numpy as np
import pytest

from impls.core import floor
from impls.core.problem import Problem

PROBLEM = Problem.parse("t3-b2-i5-h7-l2-bi")


@pytest.mark.parametrize("library", floor.libraries("cpu", "float64"), ids=lambda library: library.name)
def test_every_product_is_done_and_is_the_product_of_its_operands(library):
    for products in floor.operands(PROBLEM, "sequence", library):
        products.forward()
        # every operand is 1, so each product is the length of its inner axis; the recurrent one comes last
        assert np.asarray(products.z).tolist() == np.full((6, 28), 7.0).tolist()
        products.backward()
        width = np.asarray(products.x).shape[1]
        assert (np.asarray(products.dh) == 7 * 28).all()
        assert (np.asarray(products.d_weight_ih) == 7 * 6).all()
        assert (np.asarray(products.d_weight_hh) == 7 * 6).all()
        assert np.asarray(products.dx).tolist() == np.full((6, width), 7.0 * 28).tolist()


def test_the_model_needs_no_gradient_of_its_input():
    parts = floor.operands(PROBLEM, "model", floor.NumPy("float32"))
    assert [products.dx is None for products in parts] == [True, True, False, False]


class Slow(floor.NumPy):
    """Far slower than any product here: only the order matters."""

    def product(self, a, b, out):
        time.sleep(0.002)
        super().product(a, b, out)


@pytest.mark.parametrize("order", [1, -1])
def test_the_quicker_library_is_chosen_in_either_order(order):
    candidates = [Slow("float32"), floor.NumPy("float32")][::order]
    assert type(floor.quickest(PROBLEM, "sequence", candidates)) is floor.NumPy


def test_the_processes_of_a_run_multiply_by_the_same_library(monkeypatch, tmp_path):
    """The first one chooses, and later ones read its choice, even where they would choose otherwise."""
    monkeypatch.setenv(floor.FLOOR_CHOICES, str(tmp_path / "floor.json"))
    chosen = floor.chosen.__wrapped__(PROBLEM, "sequence", "cpu")
    other = next(library for library in floor.libraries("cpu", "float32") if library.name != chosen.name)
    monkeypatch.setattr(floor, "quickest", lambda problem, workload, candidates: other)
    assert floor.chosen.__wrapped__(PROBLEM, "sequence", "cpu").name == chosen.name
    assert floor.chosen.__wrapped__(PROBLEM, "model", "cpu").name == other.name
