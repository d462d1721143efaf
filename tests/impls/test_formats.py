"""Rounding to the number formats of problems."""

import numpy as np
import pytest

from impls.core.formats import FORMATS, rounded
from impls.core.problem import Problem
from impls.core.weights import complete, make_inputs, make_weights


@pytest.mark.parametrize("dtype", FORMATS)
def test_a_format_is_what_it_says(dtype):
    """Its unit is half a step above 1: from the middle to the even neighbour, and a little more goes up."""
    kind = FORMATS[dtype]
    step = 2 * kind.unit
    for exact in (1.0, 1.0 + step, kind.largest, kind.smallest, -0.0, np.inf):
        assert rounded(np.array([exact]), dtype)[0] == exact
    if dtype != "float64":
        assert rounded(np.array([1 + kind.unit, 1 + 3 * kind.unit]), dtype).tolist() == [1.0, 1 + 2 * step]
        assert rounded(np.array([1 + 1.01 * kind.unit]), dtype)[0] == 1 + step
        assert rounded(np.array([kind.largest * (1 + kind.unit)]), dtype)[0] == np.inf


@pytest.mark.parametrize("dtype", FORMATS)
def test_what_is_drawn_and_what_is_given_are_numbers_of_the_dtype(dtype):
    problem = Problem.parse("t3-b2-i4-h5").replace(dtype=dtype)
    completed = complete({"bias_hh_l0": np.full(20, 0.1)}, problem, "sequence", 0)
    for arrays in (make_weights(problem), make_inputs(problem).arrays(), completed):
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, rounded(array, dtype), err_msg=name)
