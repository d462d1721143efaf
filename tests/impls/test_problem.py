"""Problems, their ids, and rounding to their number formats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cases import AGREE_PROBLEMS, CLIFFS
from impls.core.case_files import complete
from impls.core.problem import DTYPES, FORMATS, Problem, rounded
from impls.core.weights import make_inputs, make_weights, shapes

SIZES = st.integers(1, 4096)
PROBLEMS = st.builds(
    Problem, SIZES, SIZES, SIZES, SIZES, st.integers(1, 64), st.booleans(), st.booleans(), st.sampled_from(DTYPES),
    st.booleans(),
)  # fmt: skip


@given(PROBLEMS)
def test_an_id_reads_back(problem):
    assert Problem.parse(problem.id) == problem


@pytest.mark.parametrize("text", [*CLIFFS, *AGREE_PROBLEMS])
def test_every_variant_reads_back(text):
    assert Problem.parse(text).id == text


def test_only_what_is_not_the_default_shows():
    assert Problem(64, 16, 128, 128).id == "t64-b16-i128-h128"
    assert Problem(1, 2, 3, 4, 2, True, False).id == "t1-b2-i3-h4-l2-bi-nobias"
    assert Problem(1, 2, 3, 4, dtype="float64", lengths=True).id == "t1-b2-i3-h4-var-float64"


@pytest.mark.parametrize(
    "text",
    [
        "", "t64", "t0-b1-i1-h1", f"t{10**400}-b1-i1-h1", "t1-b1-i1-h1-l0", "t1-b1-i1-h1-l65", "t1-b-1-i1-h1",
        "T1-b1-i1-h1", "t1-b1-i1-h1-bi-l2",
    ],
)  # fmt: skip
def test_what_is_no_id_is_refused(text):
    with pytest.raises(ValueError, match=r"must be at least 1|must be at most 64|is not a problem id"):
        Problem.parse(text)


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


@pytest.mark.parametrize(("dtype", "digits"), [("float32", 24), ("float64", 53), ("bfloat16", 8), ("float16", 11)])
def test_a_format_is_what_it_says(dtype, digits):
    """From the middle of a step above 1 to the even neighbour, and a little more goes up."""
    kind, unit = FORMATS[dtype], 2.0**-digits
    step = 2 * unit
    for exact in (1.0, 1.0 + step, kind.largest, kind.smallest, -0.0, np.inf):
        assert rounded(np.array([exact]), dtype)[0] == exact
    if dtype != "float64":
        assert rounded(np.array([1 + unit, 1 + 3 * unit]), dtype).tolist() == [1.0, 1 + 2 * step]
        assert rounded(np.array([1 + 1.01 * unit]), dtype)[0] == 1 + step
        assert rounded(np.array([kind.largest * (1 + unit)]), dtype)[0] == np.inf


@pytest.mark.parametrize("dtype", FORMATS)
def test_what_is_drawn_and_what_is_given_are_numbers_of_the_dtype(dtype):
    problem = Problem.parse("t3-b2-i4-h5").replace(dtype=dtype)
    completed = complete({"bias_hh_l0": np.full(20, 0.1)}, problem, "sequence", 0)
    for arrays in (make_weights(problem), make_inputs(problem).arrays(), completed):
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, rounded(array, dtype), err_msg=name)
