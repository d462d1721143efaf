"""The gate, and that it can fail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.correctness import agreement, controls
from impls.core import reference
from impls.core.contract import Prepared
from impls.core.formats import FORMATS
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights

WRONG_IN = {
    "just_above": "output",
    "padding_in_output": "output",
    "padding_in_gradient": "grad_x",
    "directions_swapped": "output",
    "layers_swapped": "c_n",
    "layer_not_fed_back": "grad_weight_ih_l0",
}
"""How the name of the tensor begins in which a fault is: the reason names it."""


@pytest.mark.parametrize("dtype", FORMATS)
def test_every_negative_control_is_refused(dtype):
    refused = controls.refusals(dtype)
    assert len(refused) == 16
    assert all(refused.values()), refused
    for name, tensor in WRONG_IN.items():
        assert f": {tensor}" in refused[name], refused[name]


def test_the_reference_itself_passes():
    """So what refuses the controls is their fault, not the check."""
    weights = make_weights(controls.PROBLEM)
    want = agreement.expected(controls.PROBLEM, "sequence", weights)
    prepared = controls.prepare(reference.run_sequence, controls.PROBLEM, weights)
    assert agreement.check(prepared, controls.PROBLEM, "sequence", "train_step", want).error == 0


def test_the_smallest_fault_is_well_above_the_tolerance():
    weights = make_weights(controls.PROBLEM)
    inputs = make_inputs(controls.PROBLEM)
    right = reference.run_sequence(controls.PROBLEM, weights, inputs)
    wrong = controls.weight_off(controls.PROBLEM, weights, inputs)
    worst = max(agreement.error_of(wrong[name], right[name]) for name in right)
    assert worst > 4 * agreement.TOLERANCES["float32"]


def test_a_disagreement_says_everything():
    want = {"h_n": np.array([[1.0, -2.0]])}
    with pytest.raises(agreement.Disagrees) as caught:
        agreement.compare({"h_n": np.array([[1.0, -2.5]])}, want, "float32", "sequence/forward, inputs 0")
    assert str(caught.value) == ("sequence/forward, inputs 0: h_n[0, 1] is -2.5, want -2 (error 0.25, tolerance 2e-05)")


@pytest.mark.parametrize(
    ("got", "message"),
    [
        ({}, "h_n is missing"),
        ({"h_n": np.zeros(3)}, r"h_n has shape \(3,\), want \(1, 2\)"),
        ({"h_n": np.array([[np.nan, 1.0]])}, r"h_n\[0, 0\] is nan"),
        ({"h_n": np.array([[1.0, np.inf]])}, r"h_n\[0, 1\] is inf"),
    ],
)
def test_what_is_missing_misshapen_or_not_finite_disagrees(got, message):
    with pytest.raises(agreement.Disagrees, match=message):
        agreement.compare(got, {"h_n": np.array([[1.0, 1.0]])}, "float32")


def test_where_want_is_zero_the_error_is_absolute():
    assert agreement.error_of(np.array([3e-6]), np.array([0.0])) == 3e-6
    with pytest.raises(agreement.Disagrees):
        agreement.compare({"g": np.array([1e-3])}, {"g": np.array([0.0])}, "float32")


@given(st.floats(1e-30, 1e30), st.floats(1e-9, 1e-3))
def test_the_error_does_not_depend_on_the_scale(scale, off):
    want = np.array([1.0, -0.5, 0.25])
    got = want + np.array([0.0, off, 0.0])
    np.testing.assert_allclose(agreement.error_of(got * scale, want * scale), off, rtol=1e-6)


def sneaky(run):
    problem = controls.PROBLEM
    weights = make_weights(problem)
    want = agreement.expected(problem, "sequence", weights)
    prepared = Prepared(
        load=lambda inputs: inputs, to_numpy=lambda mode, result: result, train_step=run(problem, weights)
    )
    return lambda: agreement.check(prepared, problem, "sequence", "train_step", want)


def test_a_result_kept_from_the_first_inputs_is_found():
    def run(problem, weights):
        kept = []
        return lambda inputs: (
            kept[0] if kept else kept.append(reference.run_sequence(problem, weights, inputs)) or kept[0]
        )

    with pytest.raises(agreement.Disagrees, match="inputs 1"):
        sneaky(run)()


def test_a_result_of_the_inputs_loaded_last_is_found():
    def run(problem, weights):
        seen = []

        def call(inputs):
            if not any(inputs is one for one in seen):
                seen.append(inputs)
            return reference.run_sequence(problem, weights, seen[-1])

        return call

    with pytest.raises(agreement.Disagrees, match="inputs 0 again"):
        sneaky(run)()


def test_model_parameters_are_compared_after_three_steps_too():
    """A step that is right once and wrong after is found: here, one that restarts from the first weights."""
    problem = Problem.parse("t3-b2-i3-h2")
    weights = make_weights(problem, "model")
    want = agreement.expected(problem, "model", weights)
    prepared = Prepared(
        load=lambda inputs: inputs,
        to_numpy=lambda mode, result: result,
        train_step=lambda inputs: reference.run_model_steps(problem, weights, inputs, 1),
    )
    with pytest.raises(agreement.Disagrees, match="after 3 steps"):
        agreement.check(prepared, problem, "model", "train_step", want)


def test_the_tolerance_rejects_weights_that_are_rounded_to_tf32():
    """What TF32 products do to a result must not pass as float32, and bfloat16 does more."""
    problem = Problem.parse("t5-b4-i8-h8")
    weights, inputs = make_weights(problem), make_inputs(problem)
    rounded = {name: _tf32(value) for name, value in weights.items()}
    right, coarse = (reference.run_sequence(problem, w, inputs) for w in (weights, rounded))
    with pytest.raises(agreement.Disagrees):
        agreement.compare(coarse, right, "float32")


def _tf32(value):
    bits = np.asarray(value, np.float32).view(np.uint32) & np.uint32(0xFFFFE000)
    return bits.view(np.float32).astype(np.float64)
