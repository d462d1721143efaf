"""What only a GPU runs, as far as a CPU goes: what stands in for torch.cuda notes what it is asked."""

import gc
import weakref

import pytest
import torch

from benchmarks.worker import agreement
from impls import torch_cell_graphed, torch_lstm_native
from impls.core import registry
from impls.core.contract import MODES, NoDevice, Unsupported
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights
from impls.families import jax as jax_family
from impls.families import torch as torch_family
from impls.families.torch import prepare_module
from impls.families.torch_graph import WARM_UP, captured
from tests.helpers.devices import Graphs

PROBLEM = Problem.parse("t4-b2-i3-h5-l2")


def test_work_is_warmed_up_on_the_side_recorded_once_and_replayed():
    cuda, done = Graphs(), []

    def work():
        done.append(len(cuda.noted))
        return "result"

    replay = captured(work, cuda)
    assert cuda.noted == ["the side waits", "on the side", "the main stream waits", "recording", "recorded"]
    assert done == [2] * WARM_UP + [4]  # on the side, then while it records
    assert replay() == replay() == "result"
    assert cuda.noted[5:] == ["replayed", "replayed"]
    assert len(done) == WARM_UP + 1


def test_what_a_graph_refers_to_lives_as_long_as_it():
    class Operand:
        pass

    operand = Operand()
    kept = weakref.ref(operand)

    def made(operand):
        return captured(lambda: str(operand), Graphs())

    replay = made(operand)
    del operand
    gc.collect()
    assert kept() is not None
    del replay
    gc.collect()
    assert kept() is None


def graphed(noted):
    """The cell under graphs that note what happens to them."""
    cuda = Graphs()
    cuda.noted = noted
    weights = make_weights(PROBLEM, "sequence")
    looped = torch_cell_graphed.LoopedLSTM
    eager = prepare_module(PROBLEM, weights, "cpu", "sequence", looped, inference=torch.no_grad)
    return torch_cell_graphed.graphed(eager, lambda: noted.append("waited"), cuda), weights


def test_the_cell_under_a_graph_agrees_and_copies_its_results():
    prepared, weights = graphed([])
    want = agreement.expected(PROBLEM, "sequence", weights)
    for mode in ("forward", "train_step"):
        assert agreement.check(prepared, PROBLEM, "sequence", mode, want).error < 2e-5
    state = prepared.load(make_inputs(PROBLEM, 11))
    first, second = prepared.forward(state), prepared.forward(state)
    assert all(a.data_ptr() != b.data_ptr() for a, b in zip(first, second, strict=True))
    assert prepared.backward is None
    assert prepared.forward_train is None


def test_a_graph_is_recorded_when_inputs_are_loaded_and_a_call_replays_it_and_waits():
    noted = []
    prepared, _ = graphed(noted)
    state = prepared.load(make_inputs(PROBLEM, 11))
    assert noted.count("recording") == 2
    before = len(noted)
    prepared.forward(state)
    assert noted[before:] == ["replayed", "waited"]


def test_what_needs_a_gpu_says_so():
    assert torch_cell_graphed.DEVICES == ("cuda",)
    if not torch.cuda.is_available():
        with pytest.raises(NoDevice):
            torch_cell_graphed.prepare(PROBLEM, make_weights(PROBLEM, "sequence"), "cuda", "sequence")
    with pytest.raises((Unsupported, NoDevice)):
        torch_cell_graphed.prepare(PROBLEM, make_weights(PROBLEM, "sequence"), "cpu", "sequence")


def test_native_runs_without_both_libraries_and_leaves_them_on(monkeypatch):
    seen = []

    def forward(self, *_):
        seen.append((torch.backends.mkldnn.enabled, torch.backends.cudnn.enabled))
        return ("result",)

    def gradients(*_, **__):
        seen.append((torch.backends.mkldnn.enabled, torch.backends.cudnn.enabled))
        return ()

    monkeypatch.setattr(torch_lstm_native.FlatLSTM, "forward", forward)
    monkeypatch.setattr(torch.autograd, "grad", gradients)
    prepared = torch_lstm_native.prepare(PROBLEM, make_weights(PROBLEM, "sequence"), "cpu", "sequence")
    state = prepared.load(make_inputs(PROBLEM))
    for mode, times in {"forward": 1, "forward_train": 1, "backward": 1, "train_step": 2}.items():
        prepared.call(mode)(state)
        prepared.submit(mode)(state)
        assert seen == [(False, False)] * 2 * times, mode
        seen.clear()
    assert torch.backends.mkldnn.enabled
    assert torch.backends.cudnn.enabled


@pytest.mark.parametrize("workload", ["sequence", "model"])
@pytest.mark.parametrize("name", ["torch_cell", pytest.param("jax_scan", marks=pytest.mark.process)])
def test_a_mode_without_its_wait_gives_the_same(name, workload):
    weights = make_weights(PROBLEM, workload)
    prepared = registry.load(registry.resolve(name)).prepare(PROBLEM, weights, "cpu", workload)
    inputs = make_inputs(PROBLEM, 11)
    for mode in MODES:
        results = [
            prepared.to_numpy(mode, call(prepared.start(mode, inputs)))
            for call in (prepared.call(mode), prepared.submit(mode))
        ]
        assert agreement.compare(results[1], results[0], "float64").error == 0


@pytest.mark.parametrize("workload", ["sequence", "model"])
def test_a_mode_of_torch_waits_once_and_without_its_wait_not_at_all(workload, monkeypatch):
    waits, weights = [], make_weights(PROBLEM, workload)
    monkeypatch.setattr(torch_family, "wait_for", lambda device: lambda: waits.append(1))
    prepared = prepare_module(PROBLEM, weights, "cpu", workload, torch_cell_graphed.LoopedLSTM)
    inputs = make_inputs(PROBLEM, 11)
    for mode in MODES:
        state = prepared.start(mode, inputs)
        waits.clear()
        prepared.submit(mode)(state)
        assert not waits
        prepared.call(mode)(state)
        assert waits == [1]


@pytest.mark.process
def test_a_mode_of_jax_waits_once_and_without_its_wait_not_at_all(monkeypatch):
    waits = []
    monkeypatch.setattr(jax_family.jax, "block_until_ready", lambda tree: waits.append(1) or tree)
    weights = make_weights(PROBLEM, "sequence")
    prepared = registry.load(registry.resolve("jax_scan")).prepare(PROBLEM, weights, "cpu", "sequence")
    state = prepared.start("forward", make_inputs(PROBLEM, 11))
    prepared.submit("forward")(state)
    assert not waits
    prepared.forward(state)
    assert waits == [1]


def test_a_graph_is_replayed_without_a_wait():
    noted = []
    prepared, _ = graphed(noted)
    state = prepared.load(make_inputs(PROBLEM, 11))
    noted.clear()
    prepared.submit("train_step")(state)
    assert noted == ["replayed"]
    prepared.train_step(state)
    assert noted == ["replayed", "replayed", "waited"]
