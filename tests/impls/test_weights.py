"""The weights and inputs that are drawn."""

import numpy as np
import pytest

from impls.core.case_files import complete
from impls.core.problem import FORMATS, Problem, rounded
from impls.core.weights import make_inputs, make_weights, shapes


def test_weights_are_uniform_within_one_over_root_h_and_read_only():
    problem = Problem(1, 1, 64, 100)
    weights, same, other = (make_weights(problem, seed=seed) for seed in (1, 1, 2))
    assert {name: value.shape for name, value in weights.items()} == shapes(problem)
    for name, value in weights.items():
        assert abs(value).max() <= 0.1
        assert not value.flags.writeable
        assert (same[name] == value).all()
        assert (other[name] != value).any()
    assert abs(weights["weight_ih_l0"]).max() > 0.0999
    assert abs(weights["weight_ih_l0"].std() - 0.1 / 3**0.5) < 1e-3


@pytest.mark.parametrize("text", ["t7-b1-i1-h1-var", "t7-b4-i1-h1-var", "t3-b16-i1-h1-var"])
def test_lengths_are_drawn_in_a_random_order_and_have_the_same_sum(text):
    problem = Problem.parse(text)
    drawn = [make_inputs(problem, seed).lengths for seed in range(20)]
    assert len({tuple(sorted(lengths)) for lengths in drawn}) == 1
    assert len({tuple(lengths) for lengths in drawn}) > (1 if problem.batch > 1 else 0)
    assert all(lengths.min() >= 1 and lengths.max() == problem.seq_len for lengths in drawn)
    assert make_inputs(problem.replace(lengths=False)).lengths is None


@pytest.mark.parametrize("dtype", FORMATS)
def test_what_is_drawn_and_what_is_given_are_numbers_of_the_dtype(dtype):
    problem = Problem.parse("t3-b2-i4-h5").replace(dtype=dtype)
    completed = complete({"bias_hh_l0": np.full(20, 0.1)}, problem, "sequence", 0)
    for arrays in (make_weights(problem), make_inputs(problem).arrays(), completed):
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, rounded(array, dtype), err_msg=name)
