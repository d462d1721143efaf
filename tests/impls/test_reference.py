"""The arbiter is itself checked: against central differences, and that a wrong backward would be found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impls.core import reference
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights

PROBLEMS = ["t1-b1-i1-h1", "t3-b2-i3-h2", "t3-b2-i2-h3-l2-bi", "t4-b1-i2-h2-nobias", "t2-b3-i1-h2-l3"]


def loss(problem, weights, inputs):
    """A scalar whose gradient is what backward gives from the cotangents."""
    outputs, _ = reference.forward(problem, weights, inputs["x"], inputs["h0"], inputs["c0"])
    pairs = (("output", "d_output"), ("h_n", "d_h_n"), ("c_n", "d_c_n"))
    return sum(float((outputs[name] * inputs[cotangent]).sum()) for name, cotangent in pairs)


def central_difference(problem, weights, inputs, name, step=1e-5):
    arrays = dict(weights) if name in weights else dict(inputs)
    gradient = np.zeros(arrays[name].shape)
    for index in np.ndindex(gradient.shape):
        values = []
        for sign in (1, -1):
            moved = arrays[name].copy()
            moved[index] += sign * step
            changed = {**arrays, name: moved}
            values.append(loss(problem, changed, inputs) if name in weights else loss(problem, weights, changed))
        gradient[index] = (values[0] - values[1]) / (2 * step)
    return gradient


@pytest.mark.parametrize("text", PROBLEMS)
def test_gradients_are_central_differences(text):
    problem = Problem.parse(text)
    weights, inputs = make_weights(problem, seed=3), make_inputs(problem, seed=4)
    got = reference.run_sequence(problem, weights, inputs)
    for name in (*weights, "x", "h0", "c0"):
        want = central_difference(problem, weights, vars(inputs), name)
        np.testing.assert_allclose(got[f"grad_{name}"], want, atol=1e-8, rtol=1e-6, err_msg=name)


def test_central_differences_find_a_wrong_gradient():
    problem = Problem.parse("t3-b2-i3-h2")
    weights, inputs = make_weights(problem), make_inputs(problem)
    wrong = reference.run_sequence(problem, weights, inputs)["grad_weight_hh_l0"].T.copy().T * (1 + 1e-4)
    want = central_difference(problem, weights, vars(inputs), "weight_hh_l0")
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(wrong, want, atol=1e-8, rtol=1e-6)


def test_model_gradients_are_central_differences():
    problem = Problem.parse("t3-b2-i2-h3-l2-bi")
    weights, inputs = make_weights(problem, "model"), make_inputs(problem)
    got = reference.run_model(problem, weights, inputs)
    for name in weights:
        want = np.zeros(weights[name].shape)
        for index in np.ndindex(want.shape):
            moved = [weights[name].copy(), weights[name].copy()]
            moved[0][index] += 1e-5
            moved[1][index] -= 1e-5
            plus, minus = (reference.run_model(problem, {**weights, name: m}, inputs)["loss"] for m in moved)
            want[index] = (plus - minus) / 2e-5
        np.testing.assert_allclose(got[f"grad_{name}"], want, atol=1e-8, err_msg=name)


def test_three_steps_are_three_steps():
    problem = Problem.parse("t3-b2-i2-h3")
    weights, inputs = make_weights(problem, "model"), make_inputs(problem)
    params = weights
    for _ in range(3):
        found = reference.run_model_steps(problem, params, inputs, 1)
        params = {name: found[f"param_{name}"] for name in weights}
    three = reference.run_model_steps(problem, weights, inputs, 3)
    for name in weights:
        np.testing.assert_array_equal(three[f"param_{name}"], params[name])


@given(st.floats(-800, 800))
def test_sigmoid_neither_overflows_nor_leaves_its_range(z):
    with np.errstate(all="raise", under="ignore"):
        value = reference.sigmoid(np.array(z))
    assert 0 <= value <= 1
    np.testing.assert_allclose(value + reference.sigmoid(np.array(-z)), 1, atol=1e-15)


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 1000))
def test_splitting_a_sequence_in_time_changes_nothing(steps, split, seed):
    """Running T steps is running the first and, from its final states, the rest."""
    split = min(split, steps)
    problem = Problem(steps, 2, 3, 4)
    weights, inputs = make_weights(problem, seed=seed), make_inputs(problem, seed=seed)
    whole, _ = reference.forward(problem, weights, inputs.x, inputs.h0, inputs.c0)
    first, _ = reference.forward(problem, weights, inputs.x[:split], inputs.h0, inputs.c0)
    if split == steps:
        rest = {"output": np.zeros((0, 2, 4)), "h_n": first["h_n"], "c_n": first["c_n"]}
    else:
        rest, _ = reference.forward(problem, weights, inputs.x[split:], first["h_n"], first["c_n"])
    np.testing.assert_allclose(np.concatenate([first["output"], rest["output"]]), whole["output"], atol=1e-14)
    np.testing.assert_allclose(rest["c_n"], whole["c_n"], atol=1e-14)
