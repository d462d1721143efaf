"""The gate, and that it can fail."""

import contextlib
import dataclasses
import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.agree import controls
from benchmarks.cases import AGREE_PROBLEMS, Benchmark
from benchmarks.judge import agreement
from benchmarks.judge.dropout import STEPS
from impls.core import reference
from impls.core.contract import Prepared
from impls.core.precision import TF32, VARIABLE
from impls.core.problem import DTYPES, Problem
from impls.core.registry import load, resolve
from impls.core.weights import make_inputs, make_weights, shapes
from impls.core.workloads import MODES_OF, WORKLOADS

WRONG_IN = {
    "just_above": "output",
    "padding_in_output": "output",
    "padding_in_gradient": "grad_x",
    "directions_swapped": "output",
    "layers_swapped": "c_n",
    "layer_not_fed_back": "grad_weight_ih_l0",
    "last_half": "h_n",
    "windows": "output",
    "first_half": "grad_h0",
    "state_not_kept": "output",
    "state_reset": "output",
    "only_c_kept": "output",
}
"""How the name of the tensor begins in which a fault is: the reason names it."""


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_negative_control_is_refused(dtype):
    refused = controls.refusals(dtype)
    assert len(refused) == {"int8": 23, "float32": 38, "float64": 38}.get(dtype, 29)
    assert all(refused.values()), refused
    for name, tensor in WRONG_IN.items():
        assert f": {tensor}" in refused.get(name, f": {tensor}"), refused[name]
    assert "after 1003" in refused["state_reset"]


def test_without_faults_the_controls_pass():
    """Each is refused for its fault, and for nothing else."""
    for dtype in STEPS:
        assert controls.refusal_of_dropout(dtype, forgets=False) is None
    for problem in controls.FAULTS:
        weights = make_weights(problem)
        want = agreement.expected(problem, "sequence", weights)
        right = controls.prepare(controls.Case.run, problem, weights)
        assert agreement.check(right, problem, "sequence", "forward", want).error == 0


@pytest.mark.parametrize("drops", [True, False])
def test_training_with_dropout_drops_other_numbers_in_each_call_and_is_compared_without(drops):
    problem = controls.PROBLEM.replace(num_layers=2, dropout=True)
    weights, calls = make_weights(problem), itertools.count()

    def call(inputs):
        off = next(calls) * drops * inputs.dropout
        return {name: value + off for name, value in reference.run_sequence(problem, weights, inputs).items()}

    prepared = Prepared(load=lambda inputs: inputs, to_numpy=lambda _, result: result, train_step=call)
    want = agreement.expected(problem, "sequence", weights)
    with contextlib.nullcontext() if drops else pytest.raises(agreement.Disagrees, match="drops nothing"):
        agreement.check(prepared, problem, "sequence", "train_step", want)


def test_only_weights_that_remember_show_that_most_of_a_sequence_is_ignored():
    problem = controls.PROBLEM_OF_MEMORY
    forget = make_weights(problem.replace(seq_len=1))
    want = agreement.expected(problem, "sequence", forget)
    for fault in controls.FAULTS[problem].values():
        agreement.check(controls.prepare(fault, problem, forget), problem, "sequence", "train_step", want)


@pytest.mark.parametrize("remember", [True, False])
def test_a_model_of_the_last_half_alone_disagrees_in_each_mode_where_weights_remember(remember):
    problem = controls.PROBLEM_OF_MEMORY
    weights = make_weights(problem if remember else problem.replace(seq_len=1), "model")
    right = reference.prepare(problem, weights, "cpu", "model")
    of_half = lambda inputs: right.load(dataclasses.replace(inputs, x=inputs.x[problem.seq_len // 2 :]))  # noqa: E731
    want = agreement.expected(problem, "model", weights)
    for mode in MODES_OF["model"]:
        with pytest.raises(agreement.Disagrees) if remember else contextlib.nullcontext():
            agreement.check(dataclasses.replace(right, load=of_half), problem, "model", mode, want)


def test_tf32_has_a_tolerance_of_its_own_and_an_error_of_the_tolerance_passes(monkeypatch):
    monkeypatch.setenv(VARIABLE, TF32)
    assert [agreement.tolerance_of(dtype) for dtype in ("float32", "float64")] == [8e-3, 1e-12]
    assert [agreement.tolerance_of("float64", each) for each in ("model", "train")] == [1e-12, 1e-6]  # as PyTorch clips
    ones = {"a": np.ones(1), "b": np.ones(1)}
    assert agreement.compare(ones, ones, "float32") == agreement.Largest(0.0, "b")
    assert agreement.compare({"a": np.array([1.5])}, {"a": np.ones(1)}, "float32", tolerance=0.5).error == 0.5


@pytest.mark.parametrize(
    ("dtype", "found"), [("float32", 1e-4), ("float64", 5e-12), ("bfloat16", 0.2), ("float16", 0.02)]
)
def test_a_single_weight_that_is_off_by_so_much_is_found_and_by_a_quarter_of_that_it_passes(dtype, found):
    """It holds the tolerances themselves: the other controls go with them."""
    problem = controls.PROBLEM.replace(dtype=dtype)
    weights = make_weights(problem)
    want = agreement.expected(problem, "sequence", weights)

    def off(by):
        wrong = weights["weight_ih_l0"].copy()
        wrong[3, 2] += by
        prepared = controls.prepare(lambda case: case.run(weight_ih_l0=wrong), problem, weights)
        return agreement.check(prepared, problem, "sequence", "train_step", want)

    with pytest.raises(agreement.Disagrees):
        off(found)
    assert off(found / 4).error > 0


@pytest.mark.parametrize(
    ("got", "message"),
    [
        ({}, "h_n is missing"),
        ({"h_n": np.zeros(3)}, r"h_n has shape \(3,\), want \(1, 2\)"),
        ({"h_n": np.array([[np.nan, 1.0]])}, r"h_n\[0, 0\] is nan"),
        ({"h_n": np.array([[1.0, np.inf]])}, r"h_n\[0, 1\] is inf"),
        ({"h_n": np.array([[1.0, 0.5]])}, r"x: h_n\[0, 1\] is 0\.5, want 1 \(error 0\.5, tolerance 4e-05\)"),
    ],
)
def test_what_is_missing_misshapen_or_not_finite_disagrees(got, message):
    with pytest.raises(agreement.Disagrees, match=message):
        agreement.compare(got, {"h_n": np.array([[1.0, 1.0]])}, "float32", "x")


def test_where_want_is_unusually_small_the_error_is_that_of_a_usual_size():
    assert agreement.error_of(np.array([3e-6]), np.array([0.0])) == 3e-6
    assert str(agreement.error_of(np.zeros(1), np.zeros(1))) == "0.0", "and not -0.0"
    assert agreement.error_of(np.array([1.5]), np.array([1.0]), np.array(2.0)) == 0.25
    assert [agreement.size_of(np.array([-2.0]), usual) for usual in (1.0, 3.0)] == [2.0, 3.0]
    got, want = {"g": np.array([1e-3])}, {"g": np.array([0.0])}
    assert agreement.compare(got, want, "float32", sizes={"g": np.array(100.0)}).error == pytest.approx(1e-5)
    with pytest.raises(agreement.Disagrees, match=r"^g\[0\] is .* of a usual 1,"):
        agreement.compare(got, want, "float32", sizes={"g": np.array(1.0)})
    with pytest.raises(agreement.Disagrees):
        agreement.compare({"g": np.array([np.nan])}, want, "float32", sizes={"g": np.array(np.inf)})


def test_a_usual_size_is_half_of_the_largest_value_for_other_inputs():
    problem = Problem.parse("t6-b2-i3-h1")
    weights = make_weights(problem)
    others = [reference.run_sequence(problem, weights, make_inputs(problem, 5 + 2**20 + k)) for k in range(32)]
    for name, size in agreement.usual(problem, "sequence", weights, 5).items():
        assert size == max(np.abs(results[name]).max() for results in others) / 2


@pytest.mark.parametrize(
    ("text", "few"),
    [("t8-b1-i1-h8", False), ("t4-b4-i2-h2-bi", False), ("t8-b8-i8-h1", True), ("t1-b1-i8-h4-l2", True)],
)
def test_fewer_than_eight_numbers_are_few(text, few):
    problem = Problem.parse(text)
    assert bool(agreement.usual(problem, "sequence", make_weights(problem), 0)) is few


TINY = ("t1-b1-i1-h1", "t6-b2-i3-h1", "t5-b1-i4-h6")


def test_only_problems_of_very_few_numbers_have_a_usual_size():
    usual = {
        text: agreement.usual(Problem.parse(text), "sequence", {}, 0) for text in AGREE_PROBLEMS if text not in TINY
    }
    assert set(map(len, usual.values())) == {0}
    for text, workload in itertools.product(TINY, ("sequence", "model")):
        problem = Problem.parse(text)
        weights = make_weights(problem, workload)
        want = agreement.expected(problem, workload, weights)
        sizes = agreement.usual(problem, workload, weights, 11)
        none = {name for name, value in sizes.items() if not value > 0}
        assert none == ({"grad_weight_hh_l0"} if (text, workload) == ("t1-b1-i1-h1", "model") else set())  # from h0 = 0
        first = {name[4:]: value for name, value in want.items() if name.startswith("0/1/") and "size_" not in name}
        few = {name for name, value in first.items() if value.size < 16 and not name.startswith("param_")}
        assert set(sizes) == few - {"loss"}
        larger = {name: size for name, size in sizes.items() if size > np.abs(first[name]).max()}
        assert agreement.sizes_of(want, "0/1") == larger
    cell = Problem.parse("t1-b1-i1-h32")
    assert {"grad_x"} <= set(agreement.usual(cell, "cell", make_weights(cell), 0))


@pytest.mark.process
@pytest.mark.parametrize(("dtype", "workload"), [("bfloat16", "sequence"), ("float16", "model")])
def test_rounding_is_no_disagreement_where_a_problem_has_few_numbers(dtype, workload):
    """Of 25 sets of inputs none; some are refused where the size of a tensor is not known."""
    problem = Problem.parse(TINY[0]).replace(dtype=dtype)
    weights = make_weights(problem, workload)
    prepared = load(resolve("torch_cell")).prepare(problem, weights, "cpu", workload)
    refused = 0
    for seed in range(25):
        want = agreement.expected(problem, workload, weights, seed)
        agreement.check(prepared, problem, workload, "backward", want, seed)
        unknown = {name: value for name, value in want.items() if agreement.SIZE not in name}
        try:
            agreement.check(prepared, problem, workload, "backward", unknown, seed)
        except agreement.Disagrees:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize("text", TINY)
def test_a_fault_is_found_where_a_problem_has_few_numbers(text):
    for dtype, fault in itertools.product(("float64", "bfloat16"), ("gates_swapped", "gradient_detached")):
        problem = Problem.parse(text).replace(dtype=dtype)
        weights = make_weights(problem)
        want = agreement.expected(problem, "sequence", weights)
        prepared = controls.prepare(controls.FAULTS[controls.PROBLEM][fault], problem, weights)
        with pytest.raises(agreement.Disagrees):
            agreement.check(prepared, problem, "sequence", "train_step", want)


@given(st.floats(1e-30, 1e30), st.floats(1e-9, 1e-3))
def test_the_error_does_not_depend_on_the_scale(scale, off):
    want = np.array([1.0, -0.5, 0.25])
    got = want + np.array([0.0, off, 0.0])
    np.testing.assert_allclose(agreement.error_of(got * scale, want * scale), off, rtol=1e-6)


@pytest.mark.parametrize(("kept", "where"), [(0, "inputs 1"), (-1, "inputs 0 again")])
def test_a_result_of_the_inputs_that_came_first_or_last_is_found(kept, where):
    problem, seen = controls.PROBLEM, []
    weights = make_weights(problem)

    def call(inputs):
        if not any(inputs is before for before in seen):
            seen.append(inputs)
        return reference.run_sequence(problem, weights, seen[kept])

    prepared = Prepared(load=lambda inputs: inputs, to_numpy=lambda _, result: result, train_step=call)
    want = agreement.expected(problem, "sequence", weights)
    with pytest.raises(agreement.Disagrees, match=where):
        agreement.check(prepared, problem, "sequence", "train_step", want)
    assert [bool(inputs.h0.any() and inputs.c0.any()) for inputs in seen] == [True, False]


MODEL = Problem.parse("t3-b2-i3-h2-float64")


def check_steps(changed):
    """Check the reference's own train steps of `model`, with results that this function changes."""
    weights = make_weights(MODEL, "model")
    right = reference.prepare(MODEL, weights, "cpu", "model")
    wrong = dataclasses.replace(right, train_step=lambda state: changed(weights, state, right.train_step(state)))
    want = agreement.expected(MODEL, "model", weights)
    return agreement.check(wrong, MODEL, "model", "train_step", want)


def test_a_step_that_begins_again_from_the_first_weights_is_found():
    def begin_again(weights, state, results):
        state["steps"] = reference.training(MODEL, weights, state["inputs"], "model")
        return results

    with pytest.raises(agreement.Disagrees, match="after 3 steps: loss is "):
        check_steps(begin_again)


def test_training_may_be_off_by_what_pytorch_adds_as_it_clips_and_by_the_rounding_of_its_steps():
    problem = MODEL.replace(seq_len=2)
    weights = make_weights(problem, "train")
    want, right = agreement.expected(problem, "train", weights), reference.prepare(problem, weights, "cpu", "train")
    for by, passes in ((1e-10, True), (1e-7, False)):
        near = {"to_numpy": lambda _, result, by=by: {name: value * (1 + by) for name, value in result.items()}}
        with contextlib.nullcontext() if passes else pytest.raises(agreement.Disagrees, match="tolerance 1e-06"):
            agreement.check(dataclasses.replace(right, **near), problem, "train", "train_step", want)
    sizes = agreement.with_sizes({"param_a": np.array([2.0]), "size_param_a": np.array([0.5])}, {}, 3)
    assert {name: value.item() for name, value in sizes.items()} == {"param_a": 2.0, "size_param_a": 0.5 + 3 * 2 / 512}


def test_a_parameter_that_is_not_updated_is_found_although_the_loss_is_right():
    for name in shapes(MODEL, "model"):
        with pytest.raises(agreement.Disagrees, match=rf"after 1 steps: param_{re.escape(name)}\["):
            check_steps(lambda weights, state, results, name=name: {**results, f"param_{name}": weights[name]})


def test_a_parameter_that_is_right_after_one_step_and_wrong_after_three_is_found():
    def keep(weights, state, results):
        kept = state.setdefault("the first results", results)
        return {**results, "param_fc.bias": kept["param_fc.bias"]}

    with pytest.raises(agreement.Disagrees, match=r"after 3 steps: param_fc\.bias\["):
        check_steps(keep)


OUTPUTS = {"output", "h_n", "c_n"}
GRADIENTS = {
    "grad_weight_ih_l0", "grad_weight_hh_l0", "grad_bias_ih_l0", "grad_bias_hh_l0", "grad_x", "grad_h0", "grad_c0",
}  # fmt: skip
RETURNED = {
    **{
        (workload, mode): names
        for workload in ("cell", "sequence")
        for mode, names in {
            "forward": OUTPUTS,
            "forward_train": OUTPUTS,
            "backward": GRADIENTS,
            "train_step": OUTPUTS | GRADIENTS,
        }.items()
    },
    ("stream", "forward"): OUTPUTS,
    ("model", "forward"): {"prediction"},
    ("model", "forward_train"): {"prediction", "loss"},
    ("model", "backward"): {
        "grad_weight_ih_l0", "grad_weight_hh_l0", "grad_bias_ih_l0", "grad_bias_hh_l0", "grad_fc.weight",
        "grad_fc.bias",
    },
}  # fmt: skip
RETURNED["model", "train_step"] = {each.replace("grad", "param") for each in RETURNED["model", "backward"]} | {"loss"}
RETURNED["train", "train_step"] = RETURNED["model", "train_step"]
"""The tensors that each mode of a workload must return."""


@pytest.mark.parametrize(("workload", "mode"), [(each, mode) for each in WORKLOADS for mode in MODES_OF[each]])
def test_exactly_these_tensors_are_compared_and_one_that_is_wrong_is_named(workload, mode):
    problem = Benchmark(Problem.parse("t2-b2-i3-h2"), workload, mode).timed_problem
    weights = make_weights(problem, workload)
    want = agreement.expected(problem, workload, weights)
    assert set(agreement.part_of(want, "0/1", workload, mode)) == RETURNED[workload, mode]
    right = reference.prepare(problem, weights, "cpu", workload)
    agreement.check(right, problem, workload, mode, want)
    for name in RETURNED[workload, mode]:
        off = lambda _, result, name=name: {**result, name: result[name] + 1e-3}  # noqa: E731
        with pytest.raises(agreement.Disagrees, match=rf"inputs 0(, after 1 steps)?: {re.escape(name)}(\[.*\])? is "):
            agreement.check(dataclasses.replace(right, to_numpy=off), problem, workload, mode, want)
