"""Extreme numbers: the cases are what they say, each fault is found, and flushing is told from a fault."""

from typing import NamedTuple

import numpy as np
import pytest

from benchmarks.agree import controls
from benchmarks.judge import agreement, extremes
from impls.core import reference
from impls.core.contract import Prepared
from impls.core.weights import make_weights
from impls.core.workloads import MODES
from tests.helpers import fifty_digits

DTYPES = ("float32", "float64")


class Found(NamedTuple):
    error: float = 0.0
    flushes: bool = False
    reason: str = ""


def found_by(change, dtype="float32", seed=5):
    """What is found where `change` turns the reference's results into others."""
    problem, weights = extremes.PROBLEM.replace(dtype=dtype), extremes.weights_of(dtype, 0)
    prepared = Prepared(
        load=lambda inputs: inputs,
        to_numpy=lambda mode, result: result,
        train_step=lambda inputs: change(reference.run_sequence(problem, weights, inputs)),
    )
    return check_all(prepared, dtype, seed)


def check_all(prepared, dtype, seed):
    """By extreme: the largest error and whether it flushes, or the reason why it disagrees."""
    want, found = extremes.expected(dtype, 0, seed), {}
    modes = [mode for mode in MODES if getattr(prepared, mode)]
    for extreme in extremes.EXTREMES:
        try:
            largest, flushes = extremes.check(prepared, extreme, dtype, modes, want, seed)
            found[extreme] = Found(largest.error, flushes)
        except agreement.Disagrees as error:
            found[extreme] = Found(reason=str(error))
    return found


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_right_passes(dtype):
    assert found_by(dict, dtype) == dict.fromkeys(extremes.EXTREMES, Found())


@pytest.mark.parametrize("dtype", DTYPES)
def test_only_extremes_find_these_controls(dtype):
    """Each passes agreement on ordinary numbers, and is refused on extreme ones."""
    problem = controls.PROBLEM.replace(dtype=dtype)
    weights = make_weights(problem)
    want = agreement.expected(problem, "sequence", weights)
    refused = controls.extreme_refusals(dtype)
    assert set(refused) == set(controls.EXTREME)
    for name, fault in controls.EXTREME.items():
        agreement.check(controls.prepare(fault, problem, weights), problem, "sequence", "train_step", want)
        coarse = (dtype, name) == ("float32", "sigmoid_from_tanh")  # as ONNX Runtime's: honest in float32
        assert bool(refused[name]) is not coarse, name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("extreme", extremes.EXTREMES)
def test_the_expected_results_are_those_of_fifty_digits(extreme, dtype):
    problem, weights = extremes.PROBLEM.replace(dtype=dtype), extremes.weights_of(dtype, 0)
    inputs = extremes.inputs_of(extreme, dtype, 7)
    exact = fifty_digits.run_sequence(problem, weights, inputs)
    for name, got in reference.run_sequence(problem, weights, inputs).items():
        largest = np.abs(exact[name]).max()
        few_digits = 50 * 5e-324
        np.testing.assert_allclose(got, exact[name], rtol=0, atol=1e-13 * largest + few_digits, err_msg=name)
        denormal = 0 < largest < np.finfo(dtype).tiny
        assert denormal == ((extreme, name) == ("x-denormal", "grad_weight_ih_l0")), name


def test_gates_that_are_shut_may_differ_by_5_percent_in_float32():
    """A sigmoid that is made of tanh, as ONNX Runtime's, is honest there, and keeps few digits."""
    wrong, coarse = (found_by(lambda r, by=by: {**r, "h_n": by * r["h_n"]})["gates-shut"] for by in (0.94, 0.96))
    assert "tolerance 5e-02" in wrong.reason
    assert coarse.error == pytest.approx(0.04, rel=0.01)


def flushed(results):
    return {name: np.where(np.abs(value) < np.finfo(np.float32).tiny, 0, value) for name, value in results.items()}


def test_flushing_is_a_fact_of_the_denormal_case_only():
    found = found_by(flushed)
    assert {extreme for extreme, each in found.items() if each.flushes} == {"x-denormal"}
    assert not any(each.reason for each in found.values())


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda r: {**r, "grad_x": flushed(r)["grad_x"] * 1.001}, "grad_x"),
        (lambda r: {**r, "grad_weight_ih_l0": 1e-38 + flushed(r)["grad_weight_ih_l0"]}, "grad_weight_ih_l0"),
        (lambda r: {**r, "c_n": np.where(np.abs(r["c_n"]) < 0.05, 0, r["c_n"])}, "c_n"),
        (lambda r: {**r, "h_n": r["h_n"] * np.nan}, "h_n"),
    ],
)
def test_a_fault_is_no_flushing(change, where):
    assert where in found_by(change)["x-denormal"].reason
