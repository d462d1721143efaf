"""The arbiter is itself checked: against central differences and 50 digits. A wrong backward would be found."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mpmath import mp, mpf

from impls.core import reference
from impls.core.problem import Problem
from impls.core.weights import Inputs, make_inputs, make_weights
from tests.helpers import fifty_digits


def loss(problem, weights, inputs):
    """A scalar whose gradient is what backward gives from the cotangents."""
    outputs, _ = reference.forward(problem, weights, Inputs(**inputs))
    pairs = (("output", "d_output"), ("h_n", "d_h_n"), ("c_n", "d_c_n"))
    return sum(float((outputs[name] * inputs[cotangent]).sum()) for name, cotangent in pairs)


def central_difference(function, array, step=1e-5):
    """The gradient of function(array), which returns a scalar."""
    gradient = np.zeros(array.shape)
    for index in np.ndindex(gradient.shape):
        moved = np.array([array, array])
        moved[0][index] += step
        moved[1][index] -= step
        gradient[index] = (function(moved[0]) - function(moved[1])) / (2 * step)
    return gradient


@pytest.mark.parametrize("text", ["t3-b2-i3-h2", "t3-b1-i2-h2-l2-bi-nobias", "t4-b3-i2-h2-l2-bi-var"])
def test_gradients_are_central_differences(text):
    problem = Problem.parse(text)
    weights, inputs = make_weights(problem, seed=3), make_inputs(problem, seed=4).arrays()
    got = reference.run_sequence(problem, weights, Inputs(**inputs))
    for name in weights:
        want = central_difference(
            lambda moved, name=name: loss(problem, {**weights, name: moved}, inputs), weights[name]
        )
        np.testing.assert_allclose(got[f"grad_{name}"], want, atol=1e-8, rtol=1e-6, err_msg=name)
    for name in ("x", "h0", "c0"):
        want = central_difference(
            lambda moved, name=name: loss(problem, weights, {**inputs, name: moved}), inputs[name]
        )
        np.testing.assert_allclose(got[f"grad_{name}"], want, atol=1e-8, rtol=1e-6, err_msg=name)
        with pytest.raises(AssertionError):  # the control
            np.testing.assert_allclose(got[f"grad_{name}"] * (1 + 1e-4), want, atol=1e-8, rtol=1e-6)


def test_gradients_of_the_model_are_central_differences():
    problem = Problem.parse("t2-b2-i1-h2-l2-bi")
    weights, inputs = make_weights(problem, "model"), make_inputs(problem)
    got = reference.run_model(problem, weights, inputs)
    for name in weights:
        want = central_difference(
            lambda moved, name=name: reference.run_model(problem, {**weights, name: moved}, inputs)["loss"],
            weights[name],
        )
        np.testing.assert_allclose(got[f"grad_{name}"], want, atol=1e-8, err_msg=name)


def test_a_row_with_a_length_is_the_row_alone():
    """Each row, cut to its length, as a batch of one; the gradients of the weights are the sums over the rows."""
    problem = Problem.parse("t7-b4-i3-h5-l2-bi-var")
    weights, inputs = make_weights(problem, seed=3), make_inputs(problem, seed=4)
    got = reference.run_sequence(problem, weights, inputs)
    sums = dict.fromkeys(weights, 0.0)
    for row, length in enumerate(inputs.lengths):
        alone = problem.replace(seq_len=int(length), batch=1, lengths=False)
        cut = {name: array[:, row : row + 1] for name, array in inputs.arrays().items() if array.ndim == 3}
        cut |= {name: cut[name][:length] for name in ("x", "d_output")}
        want = reference.run_sequence(alone, weights, Inputs(**cut, target=inputs.target[:1]))
        for name in ("output", "grad_x"):
            np.testing.assert_allclose(got[name][:length, row], want[name][:, 0], atol=1e-12)
            assert not got[name][length:, row].any()
        for name in ("h_n", "c_n", "grad_h0", "grad_c0"):
            np.testing.assert_allclose(got[name][:, row], want[name][:, 0], atol=1e-12)
        sums = {name: total + want[f"grad_{name}"] for name, total in sums.items()}
    for name, total in sums.items():
        np.testing.assert_allclose(got[f"grad_{name}"], total, atol=1e-12, err_msg=name)


@given(st.one_of(st.floats(-800, 800), st.floats(allow_nan=False, allow_infinity=False)))
@example(-37.5)  # here 0.5 * (1 + tanh(z / 2)) is 0
@example(1e-310)
@example(-1.7e308)
def test_sigmoid_and_the_slopes_are_precise_for_every_number(z):
    number = fifty_digits.Number(mpf(z))
    with mp.workdps(fifty_digits.DIGITS):
        sigmoid, tanh = number.sigmoid(), number.tanh()
        want = [float(sigmoid.value), float(sigmoid.parts[0][1]), float(tanh.parts[0][1])]
    with np.errstate(all="raise", under="ignore"):
        functions = (reference.sigmoid, reference.sigmoid_slope, reference.tanh_slope)
        got = [float(function(np.array(z))) for function in functions]
    np.testing.assert_allclose(got, want, rtol=2e-15, atol=5e-323)


SCALES = {
    "saturated": {"weights": 30, "x": 100},
    "more saturated": {"weights": 1000},
    "huge x": {"x": 1e30},
    "enormous x": {"x": 1e300},
    "huge c0": {"c0": 1e30},
    "huge cotangents": {"d_output": 1e30, "d_h_n": 1e30, "d_c_n": 1e30},
    "everything huge": {"x": 1e30, "h0": 1e30, "c0": 1e30, "d_output": 1e30, "d_h_n": 1e30, "d_c_n": 1e30},
    "huge x, tiny weights": {"weights": 1e-30, "x": 1e30},
    "huge intermediate products": {"weights": 300, "c0": 1e160, "d_c_n": 1e100},
    "tiny x": {"x": 1e-30},
    "tiny weights": {"weights": 1e-30},
    "denormal in float32": {"x": 1e-40},
    "denormal": {"x": 1e-310},
    "denormal weights": {"weights": 1e-310},
}


def scaled(problem, seed, scales):
    inputs = {name: value * scales.get(name, 1) for name, value in make_inputs(problem, seed).arrays().items()}
    weights = {name: value * scales.get("weights", 1) for name, value in make_weights(problem, seed=seed).items()}
    return weights, Inputs(**inputs)


def check_against_fifty_digits(problem, weights, inputs):
    """Check that every tensor has a relative error of at most 2e-12.

    Rounding z of up to 745, where the slopes become 0, gives slopes that are off by a few hundred rounding errors.
    Numbers below the smallest normal one have fewer digits, also where they are multiplied by a large one later.
    """
    want = fifty_digits.run_sequence(problem, weights, inputs)
    got = reference.run_sequence(problem, weights, inputs)
    arrays = [*weights.values(), inputs.x, inputs.h0, inputs.c0, inputs.d_output, inputs.d_h_n, inputs.d_c_n]
    largest = max(float(np.abs(array).max()) for array in arrays)
    fewer_digits = 100 * 5e-324 * max(1.0, min(largest, 1e100)) ** 2
    assert set(got) == set(want)
    for name, wanted in want.items():
        allowed = 2e-12 * np.abs(wanted).max() + fewer_digits
        np.testing.assert_allclose(got[name], wanted, rtol=0, atol=allowed, err_msg=name)


@pytest.mark.parametrize("name", SCALES)
def test_extreme_numbers_are_those_of_fifty_digits(name):
    for seed, text in enumerate(("t3-b2-i3-h2", "t3-b2-i3-h2", "t2-b2-i2-h2-l2-bi")):
        problem = Problem.parse(text)
        check_against_fifty_digits(problem, *scaled(problem, seed, SCALES[name]))


TEXTBOOK = {
    "sigmoid": lambda z: 0.5 * (1 + np.tanh(0.5 * z)),
    "sigmoid_slope": lambda z: 1 / (1 + np.exp(-z)) * (1 - 1 / (1 + np.exp(-z))),
    "tanh_slope": lambda z: 1 - np.tanh(z) ** 2,
}


@pytest.mark.parametrize("name", TEXTBOOK)
@pytest.mark.filterwarnings("ignore:overflow")
def test_fifty_digits_refuse_each_textbook_formula(name, monkeypatch):
    problem = Problem.parse("t3-b2-i3-h2")
    monkeypatch.setattr(reference, name, TEXTBOOK[name])
    for seed in range(10):
        try:
            check_against_fifty_digits(problem, *scaled(problem, seed, SCALES["saturated"]))
        except AssertionError:
            return
    pytest.fail(f"{name}: not refused")
