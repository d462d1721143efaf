"""The floor does every product that an LSTM must do, whoever multiplies; and the quicker library is chosen."""

import time

import numpy as np
import pytest

from impls.core import floor
from impls.core.problem import Problem

PROBLEM = Problem.parse("t3-b2-i5-h7-l2-bi")


@pytest.mark.parametrize("library", floor.libraries("cpu", "float64"), ids=lambda one: type(one).__name__)
def test_every_product_is_done_and_is_the_product_of_its_operands(library):
    for one in floor.operands(PROBLEM, "sequence", library):
        one.forward()
        # of ones, the recurrent product comes last; then each sum over its inner axis
        assert np.asarray(one.z).tolist() == np.full((6, 28), 7.0).tolist()
        one.backward()
        width = np.asarray(one.x).shape[1]
        assert (np.asarray(one.dh) == 7 * 28).all()
        assert (np.asarray(one.d_weight_ih) == 7 * 6).all()
        assert (np.asarray(one.d_weight_hh) == 7 * 6).all()
        assert np.asarray(one.dx).tolist() == np.full((6, width), 7.0 * 28).tolist()


def test_the_model_needs_no_gradient_of_its_input():
    found = floor.operands(PROBLEM, "model", floor.NumPy("float32"))
    assert [one.dx is None for one in found] == [True, True, False, False]


class Slow(floor.NumPy):
    """Far slower than any product here: only the order matters."""

    def product(self, a, b, out):
        time.sleep(0.002)
        super().product(a, b, out)


@pytest.mark.parametrize("order", [1, -1])
def test_the_quicker_library_is_chosen_in_either_order(monkeypatch, order):
    monkeypatch.setattr(floor, "libraries", lambda device, dtype: [Slow(dtype), floor.NumPy(dtype)][::order])
    assert type(floor.quickest.__wrapped__(PROBLEM, "sequence", "cpu")) is floor.NumPy
