"""The floor does every product that an LSTM must do, with the libraries that were quickest when the run chose them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from impls.core import floor, products, rates
from impls.core.problem import Problem
from impls.core.products import Products
from impls.core.weights import make_inputs
from reports.roofline import operations

PROBLEM = Problem.parse("t3-b2-i5-h7-l2-bi")
DOUBLE = Problem.parse("t3-b2-i5-h7-float64")


def test_the_products_are_those_of_an_lstm():
    """Counted by hand, for a layer of one direction: T = 3, B = 2, I = 5, H = 7."""
    problem = Problem.parse("t3-b2-i5-h7")
    ahead = [Products(1, 6, 5, 28), Products(3, 2, 7, 28)]
    back = [Products(3, 2, 28, 7), Products(1, 28, 6, 5), Products(1, 28, 6, 7), Products(1, 6, 28, 5)]
    assert floor.modes(problem, "sequence") == {
        "forward": ahead, "forward_train": ahead, "backward": back, "train_step": ahead + back,
    }  # fmt: skip
    assert floor.modes(problem, "model")["backward"] == back[:-1]


@pytest.mark.parametrize("workload", ["sequence", "model"])
@pytest.mark.parametrize("text", ["t3-b2-i5-h7", "t3-b2-i5-h7-l2-bi", "t1-b1-i1-h1", "t4-b3-i2-h6-l3"])
def test_they_have_the_operations_that_the_share_of_the_peak_counts(text, workload):
    problem = Problem.parse(text)
    for mode, listed in floor.modes(problem, workload).items():
        assert sum(done.operations for done in listed) == operations(problem, workload, mode)


@pytest.mark.parametrize("name", products.libraries("cpu", "float32"))
def test_every_product_is_done_and_returned(name, monkeypatch):
    problem = Problem.parse("t3-b2-i5-h7-l2")
    wanted = floor.modes(problem, "sequence")
    plans = {mode: {done.id: name for done in listed} for mode, listed in wanted.items()}
    monkeypatch.setattr(floor, "chosen", lambda *_: plans)
    prepared = floor.prepare(problem, {}, "cpu", "sequence")
    for mode, listed in wanted.items():
        results = prepared.call(mode)(prepared.start(mode, make_inputs(problem, 0)))
        assert len(results) == len(listed)
        for result, done in zip(results, listed, strict=True):
            stacked = np.stack([np.asarray(each) for each in result])
            np.testing.assert_array_equal(stacked, np.full((done.times, done.m, done.n), done.k, "float32"))
        read = prepared.to_numpy(mode, results)["z"]
        assert (read.dtype, read.shape) == ("float64", (listed[-1].m, listed[-1].n))


def preferring(monkeypatch, quick):
    """Have the rates say that `quick(products)` names the quickest library."""
    monkeypatch.setattr(
        rates, "rates",
        lambda wanted, candidates: {p.id: {n: 2.0 if n == quick(p) else 1.0 for n in candidates} for p in wanted},
    )  # fmt: skip


def test_each_shape_gets_its_quickest_library(monkeypatch):
    preferring(monkeypatch, lambda done: "NumPy" if done.times == 1 else "PyTorch")
    monkeypatch.setattr(rates, "quickest", lambda runs, least, share: 1)
    plans, _ = floor.choose(Problem.parse("t3-b2-i5-h7"), "sequence", "cpu")
    assert plans["forward"] == plans["forward_train"] == {"1 x 6,5,28": "NumPy", "3 x 2,7,28": "PyTorch"}


def test_unless_one_library_alone_is_quicker_than_both_together(monkeypatch):
    """The rates count operations: here nearly all are in the steps."""
    preferring(monkeypatch, lambda done: "NumPy" if done.times == 1 else "PyTorch")
    tried = []
    monkeypatch.setattr(rates, "quickest", lambda runs, least, share: tried.append(len(runs)) or 0)
    plans, _ = floor.choose(Problem.parse("t3-b2-i1-h7"), "sequence", "cpu")
    assert set(plans["forward"].values()) == {"PyTorch"}
    assert tried == [2, 2, 2]


def test_where_one_library_is_the_quickest_for_all_nothing_more_is_tried(monkeypatch):
    preferring(monkeypatch, lambda done: "NumPy")
    tried = []
    monkeypatch.setattr(rates, "quickest", lambda runs, least, share: tried.append(len(runs)) or 0)
    floor.choose(Problem.parse("t3-b2-i1-h7"), "sequence", "cpu")
    assert tried == [1, 1, 1]


def test_a_library_that_is_unsteady_must_be_much_quicker(monkeypatch):
    def rated(rate):
        monkeypatch.setattr(
            rates, "rates",
            lambda wanted, candidates: {p.id: {n: rate if n == "XLA" else 1.0 for n in candidates} for p in wanted},
        )  # fmt: skip
        plans, _ = floor.choose(Problem.parse("t3-b2-i1-h7"), "sequence", "cpu")
        return {name for plan in plans.values() for name in plan.values()}

    assert "XLA" not in rated(1.1)
    assert rated(1.3) == {"XLA"}


def test_the_processes_of_a_run_multiply_by_the_same_libraries(monkeypatch, tmp_path):
    """The first one chooses, and later ones read its choice, even where they would choose otherwise."""
    path = tmp_path / "floor.json"
    monkeypatch.setenv(floor.FLOOR_CHOICES, str(path))
    preferring(monkeypatch, lambda done: "NumPy")
    first = floor.chosen.__wrapped__(PROBLEM, "sequence", "cpu")
    assert {name for plan in first.values() for name in plan.values()} == {"NumPy"}
    preferring(monkeypatch, lambda done: "PyTorch")
    assert floor.chosen.__wrapped__(PROBLEM, "sequence", "cpu") == first
    other = floor.chosen.__wrapped__(PROBLEM, "model", "cpu")
    assert {name for plan in other.values() for name in plan.values()} == {"PyTorch"}
    kept = json.loads(path.read_text())
    assert set(kept["plans"]) == {f"{PROBLEM.id}/sequence", f"{PROBLEM.id}/model"}
    assert set(kept["rates"]["float32"]) == {p.id for p in floor.modes(PROBLEM, "sequence")["train_step"]}


@pytest.mark.parametrize("kept", [{}, {"forward": {}}, "another library", "a library that is not here"])
def test_a_choice_that_cannot_be_kept_is_made_again(kept, monkeypatch, tmp_path):
    path = tmp_path / "floor.json"
    if isinstance(kept, str):
        name = "oneMKL" if kept == "another library" else "oneDNN"
        kept = {mode: {p.id: name for p in listed} for mode, listed in floor.modes(DOUBLE, "sequence").items()}
    path.write_text(json.dumps({"plans": {f"{DOUBLE.id}/sequence": kept}}))
    monkeypatch.setenv(floor.FLOOR_CHOICES, str(path))
    preferring(monkeypatch, lambda done: "NumPy")
    plans = floor.chosen.__wrapped__(DOUBLE, "sequence", "cpu")
    assert {name for plan in plans.values() for name in plan.values()} == {"NumPy"}
    assert json.loads(path.read_text())["plans"][f"{DOUBLE.id}/sequence"] == plans


def test_without_a_file_each_process_chooses(monkeypatch):
    monkeypatch.delenv(floor.FLOOR_CHOICES, raising=False)
    preferring(monkeypatch, lambda done: "XLA")
    assert set(floor.chosen.__wrapped__(PROBLEM, "sequence", "cpu")["forward"].values()) == {"XLA"}


def test_the_peak_has_a_rate_of_every_library(monkeypatch):
    monkeypatch.setattr(rates, "seconds", lambda run, least, warm_up: run() or [0.5, 0.25])
    found = floor.peak("cpu", "float32")
    assert found == dict.fromkeys(products.libraries("cpu", "float32"), 2 * 1024**3 / 0.25 * 1.0)


class Clocked:
    """A library that has these rates by the size of its matrices, on a clock that only its products move."""

    def __init__(self, clock, of_size):
        self.clock, self.of_size, self.tried = clock, of_size, []

    def prepare(self, wanted):
        self.tried.append(wanted.n)

        def run():
            self.clock.now += wanted.operations / self.of_size[wanted.n]

        return run


def test_the_peak_of_a_library_is_its_best_rate_over_sizes_that_do_not_take_long(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    quick = Clocked(clock, {1024: 1e12, 2048: 4e12, 4096: 2e12})
    slow = Clocked(clock, {1024: 1e10})
    monkeypatch.setattr(rates, "time", SimpleNamespace(perf_counter=lambda: clock.now, sleep=lambda _: None))
    monkeypatch.setattr(rates, "libraries", lambda device, dtype: {"quick": quick, "slow": slow})
    waits = []
    found = rates.peaks("cpu", "float32", lambda: waits.append(1))
    assert found == {"quick": pytest.approx(4e12), "slow": pytest.approx(1e10)}
    assert (quick.tried, slow.tried) == ([1024, 2048, 4096], [1024])
    assert waits
