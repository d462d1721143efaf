"""The checks of options before anything runs."""

import click
import numpy as np
import pytest

from benchmarks import choices
from impls.core.problem import Problem
from impls.core.weights import make_weights


def test_weights_that_the_dtype_cannot_hold_are_refused(tmp_path):
    """Otherwise the implementation would be blamed for NaN."""
    problem = Problem.parse("t4-b2-i3-h2")
    weights = {name: array.copy() for name, array in make_weights(problem).items()}
    weights["weight_hh_l0"][1, 1] = 1e300
    np.savez(tmp_path / "w.npz", **weights)
    with pytest.raises(click.UsageError, match=r"w\.npz: weight_hh_l0 holds 1e\+300, which float32 can't hold"):
        choices.fit_weights(tmp_path / "w.npz", [problem])
    double = problem.replace(dtype="float64")
    assert choices.fit_weights(tmp_path / "w.npz", [double]) == [double]
