"""Holm's correction."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.statistics.intervals import holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@given(p_values)
def test_holm_is_between_the_p_value_and_bonferroni_and_keeps_the_order(values):
    p = np.array(values)
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, p * len(p)) + 1e-12).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


def test_holm_on_the_textbook_example():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.01, np.nan])), [0.01, np.nan])
    assert len(holm(np.array([]))) == 0
