"""Which implementations and problems options stand for."""

import click
import numpy as np
import pytest

from benchmarks import choices
from benchmarks.cases import Benchmark
from impls.core import registry
from impls.core.problem import Problem
from impls.core.weights import make_weights

PROBLEM = Problem.parse("t4-b2-i3-h2")


@pytest.fixture
def weights(tmp_path):
    np.savez(tmp_path / "w.npz", **make_weights(PROBLEM))
    return tmp_path / "w.npz"


@pytest.mark.parametrize(
    ("factor", "said"),
    [(1e300, r"w\.npz: weight_hh_l0 holds .*e\+.*, which float32 can't hold"), (1e-60, "which float32 rounds to zero")],
)
def test_weights_that_the_dtype_cannot_hold_are_refused(factor, said, weights):
    """Otherwise the implementation would be blamed for NaN, or all would be timed on zeros."""
    arrays = dict(np.load(weights))
    arrays["weight_hh_l0"] *= factor
    np.savez(weights, **arrays)
    with pytest.raises(click.UsageError, match=said):
        choices.fit_weights(weights, [PROBLEM])
    double = PROBLEM.replace(dtype="float64")
    assert choices.fit_weights(weights, [double]) == [double]


def test_weights_without_x_are_timed_at_a_usual_length_and_batch(weights):
    assert choices.choose_problems([], weights, ["t1-b1-i1-h1"]) == [PROBLEM.replace(seq_len=64, batch=16)]
    assert choices.choose_problems([], None, ["t1-b1-i1-h1"] * 2) == [Problem.parse("t1-b1-i1-h1")]


def test_weights_are_scanned_in_the_sizes_that_they_leave_open(weights):
    usual = PROBLEM.replace(seq_len=64)
    found = choices.choose_problems([], weights, [], ["batch=1,2"])
    assert found == [usual.replace(batch=1), usual.replace(batch=2)]
    with pytest.raises(click.UsageError, match="does not fit t64-b16-i3-h4"):
        choices.choose_problems([], weights, [], ["hidden=2,4"])


def test_what_several_problems_scan_alike_is_measured_once():
    found = choices.choose_problems(["t4-b2-i3-h2-l2", "t4-b2-i3-h4-l2"], None, ["t1-b1-i1-h1"], ["hidden=8"])
    assert [problem.id for problem in found] == ["t4-b2-i3-h8-l2"]


def test_all_is_every_lstm_and_no_name_is_those_that_run_by_default():
    lstms = {each.name: each for each in registry.catalogue().values() if each.is_lstm}
    exported = {each.name for each in choices.implementations(("exported",))}
    assert exported == {name for name, each in lstms.items() if each.track == "exported"}
    every = {name: each for name, each in lstms.items() if name not in exported}
    named = choices.implementations(("keras_jax", "all"))
    assert sorted(each.name for each in named) == sorted(every)
    assert named[0].name == "keras_jax"
    beside = {each.name for each in choices.implementations(("jax_scan@jax==0.8.*", "all"))}
    assert beside == {*every, "jax_scan@jax==0.8.*"}
    default = choices.implementations((), peak=True)
    assert [each.name for each in default] == [*(name for name in every if every[name].by_default), "peak"]
    assert len(default) < len(named)
    common, others = ({each.name for each in choices.implementations((word,))} for word in ("common", "others"))
    assert common | others == set(every) - {"torch_lstm_dynamic"}
    assert not common & others
    assert {"numpy_lstm", "torch_lstm"} <= common
    assert {"keras_jax", "tinygrad_lstm"} <= others


def test_a_cell_is_timed_on_one_step():
    for workload, steps in (("cell", 1), ("sequence", 4)):
        benchmark = Benchmark.parse(f"{PROBLEM.id}/{workload}/forward")
        assert benchmark.timed_problem == PROBLEM.replace(seq_len=steps)
        assert Benchmark.parse(benchmark.id) == benchmark
