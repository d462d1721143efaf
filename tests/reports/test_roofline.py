"""Operations of the matrix products, counted by hand."""

import numpy as np
import pandas as pd
import pytest

from impls.core.problem import Problem
from reports.roofline import operations, peak_share


def test_operations_are_those_of_the_floors_products():
    """Counted by hand: T·B rows, 4H columns, I and H deep; twice that backward, without dx for `model`."""
    problem = Problem(seq_len=3, batch=2, input_size=5, hidden_size=7)
    forward = 2 * 3 * 2 * 28 * (5 + 7)
    assert operations(problem, "sequence", "forward") == forward
    assert operations(problem, "sequence", "forward_train") == forward
    assert operations(problem, "sequence", "backward") == 2 * forward
    assert operations(problem, "sequence", "train_step") == 3 * forward
    assert operations(problem, "model", "train_step") == 3 * forward - 2 * 3 * 2 * 28 * 5
    assert operations(problem, "cell", "forward") == forward // 3
    deep = problem.replace(num_layers=2, bidirectional=True)
    assert operations(deep, "sequence", "forward") == 2 * forward + 2 * (2 * 3 * 2 * 28 * (14 + 7))


@pytest.mark.parametrize("mode", ["", "training", "FORWARD", "forward_backward"])
def test_a_mode_that_is_not_known_is_no_training_step(mode):
    problem = Problem(seq_len=3, batch=2, input_size=5, hidden_size=7)
    with pytest.raises(ValueError, match="is not known; known are forward, forward_train, backward, train_step"):
        operations(problem, "sequence", mode)


def test_the_share_of_the_peak_is_nan_where_mode_problem_or_peak_are_not_known():
    rows = [
        ("t3-b2-i5-h7", "forward"),
        ("t3-b2-i5-h7", "training"),
        ("mine", "forward"),
        ("t3-b2-i5-h7-float64", "forward"),
    ]
    summary = pd.DataFrame(rows, columns=["problem", "mode"]).assign(workload="sequence", seconds=1e-3)
    records = pd.DataFrame({"problem": ["t3-b2-i5-h7", "mine", "t3-b2-i5-h7-float64"]})
    records["dtype"] = ["float32", "float32", "float64"]
    shares = peak_share(summary, records, {"float32": 1e9})
    assert shares[0] == pytest.approx(2 * 3 * 2 * 28 * 12 / 1e-3 / 1e9)
    assert np.isnan(shares[1:]).all()
