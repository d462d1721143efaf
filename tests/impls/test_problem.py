import pytest
from hypothesis import given
from hypothesis import strategies as st

from impls.core.problem import Problem
from impls.core.weights import make_weights, shapes

sizes = st.integers(1, 4096)
problems = st.builds(
    Problem,
    sizes,
    sizes,
    sizes,
    sizes,
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
    st.sampled_from(("float32", "float64")),
    st.booleans(),
)


@given(problems)
def test_an_id_reads_back(problem):
    assert Problem.parse(problem.id) == problem


def test_only_what_is_not_the_default_shows():
    assert Problem(64, 16, 128, 128).id == "t64-b16-i128-h128"
    assert Problem(1, 2, 3, 4, 2, True, False).id == "t1-b2-i3-h4-l2-bi-nobias"
    assert Problem(1, 2, 3, 4, dtype="float64", lengths=True).id == "t1-b2-i3-h4-var-float64"


@pytest.mark.parametrize(
    "text", ["", "t64", "t0-b1-i1-h1", "t1-b1-i1-h1-l0", "t1-b-1-i1-h1", "T1-b1-i1-h1", "t1-b1-i1-h1-bi-l2"]
)
def test_what_is_no_id_is_refused(text):
    with pytest.raises(ValueError, match=r"must be at least 1|is not a problem id"):
        Problem.parse(text)


def test_more_than_64_layers_are_refused():
    """Its matrices are tiny, so the check of a problem's memory lets it pass; it would run for hours."""
    assert Problem.parse("t1-b1-i1-h1-l64").num_layers == 64
    for layers in (65, 100000):
        with pytest.raises(ValueError, match=rf"^num_layers is {layers}; it must be at most 64$"):
            Problem.parse(f"t1-b1-i1-h1-l{layers}")


def test_weights_are_uniform_within_one_over_root_h_and_read_only():
    """The notebook's initialisation: what it printed, tested."""
    problem = Problem(1, 1, 64, 100)
    weights = make_weights(problem, seed=1)
    assert {name: value.shape for name, value in weights.items()} == shapes(problem)
    for value in weights.values():
        assert abs(value).max() <= 0.1
        assert not value.flags.writeable
    assert abs(weights["weight_ih_l0"]).max() > 0.0999
    assert abs(weights["weight_ih_l0"].std() - 0.1 / 3**0.5) < 1e-3
    assert (make_weights(problem, seed=1)["bias_hh_l0"] == weights["bias_hh_l0"]).all()
    assert (make_weights(problem, seed=2)["bias_hh_l0"] != weights["bias_hh_l0"]).all()
