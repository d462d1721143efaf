"""Problems, their ids, and rounding to their number formats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cases import AGREE_PROBLEMS, CLIFFS
from impls.core.problem import DTYPES, FORMATS, Problem, rounded

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
