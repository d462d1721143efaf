"""What the worker of `evaluate` computes: every result as float64, or one clear line."""

import numpy as np
import pytest

from benchmarks.judge.agreement import Disagrees
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights
from tests.helpers.evaluating import case, evaluated


@pytest.mark.parametrize("name", ["reference", "numpy_lstm"])
def test_it_gives_outputs_and_with_cotangents_the_gradient_of_every_array(name, tmp_path):
    given, outputs = {*make_weights(Problem.parse("t4-b2-i3-h5")), "x", "h0", "c0"}, {"output", "h_n", "c_n"}
    assert set(evaluated(name, case(tmp_path / "c.npz"))) == outputs | {f"grad_{array}" for array in given}
    without = dict.fromkeys(("d_output", "d_h_n", "d_c_n", "h0"))
    assert set(evaluated(name, case(tmp_path / "c.npz", **without))) == outputs


RETURNS = """
from dataclasses import replace
import ml_dtypes
import numpy as np
from impls import numpy_lstm

FRAMEWORK = "numpy"
TRACK = "default"

def prepare(*given):
    right = numpy_lstm.prepare(*given)

    def to_numpy(*result):
        return {{name: {value} for name, v in right.to_numpy(*result).items() {which}}}

    return replace(right, to_numpy=to_numpy)
"""


@pytest.mark.parametrize(
    ("value", "which", "message"),
    [
        ("v", "if name != 'h_n'", "its results lack h_n"),
        ("1.0", "", "output is float64 of shape ()"),
        ("v + 0j", "", "output is complex128"),
        ("v.astype(str)", "", "output is <U"),
        ("v * np.nan", "", "output holds NaN or infinity"),
        ("np.float32(v)", "", ""),
        ("v.astype(ml_dtypes.bfloat16)", "", ""),
    ],
)
def test_it_writes_arrays_of_the_right_shapes_as_float64_or_nothing(value, which, message, tmp_path):
    path, given = tmp_path / "mine.py", case(tmp_path / "c.npz")
    path.write_text(RETURNS.format(value=value, which=which))
    if message:
        with pytest.raises(Disagrees) as refused:
            evaluated(path, given)
        assert message in str(refused.value)
        assert not (tmp_path / "results.npz").exists()
        return
    arrays, results = np.load(given), evaluated(path, given)
    assert {array.dtype.name for array in results.values()} == {"float64"}
    assert all(results[f"grad_{name}"].shape == arrays[name].shape for name in arrays if not name.startswith("d_"))


def test_a_result_that_overflows_is_one_line(tmp_path):
    problem = Problem.parse("t4-b2-i3-h5")
    inputs = make_inputs(problem)
    arrays = {name: 1e-200 * value for name, value in make_weights(problem).items()}
    arrays |= {"x": 1e200 * inputs.x, "d_output": 1e200 * inputs.d_output}
    with pytest.raises(Disagrees, match=r"^grad_weight_ih_l0 holds NaN"):
        evaluated("reference", case(tmp_path / "c.npz", **arrays))
