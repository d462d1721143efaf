"""What only a GPU runs, as far as a CPU goes: what stands in for torch.cuda notes what it is asked."""

import gc
import json
import weakref
from unittest.mock import MagicMock

import pytest
import torch
from torch.utils import backend_registration

from benchmarks.judge import agreement
from impls import torch_lstm_native
from impls.core import registry
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights
from impls.core.workloads import MODES
from impls.families import jax as jax_family
from impls.families import torch as torch_family
from impls.families import torch_graphs
from impls.families.torch import FlatLSTM, LoopedLSTM, prepare_module
from impls.families.torch_graphs import captured
from tests.helpers.processes import python

PROBLEM = Problem.parse("t4-b2-i3-h5-l2")
WEIGHTS = make_weights(PROBLEM, "sequence")


def told(cuda):
    """What torch.cuda was asked, in order."""
    return [name for name, _, _ in cuda.mock_calls]


def test_what_a_graph_refers_to_lives_as_long_as_it():
    class Operand:
        pass

    operand = Operand()
    kept = weakref.ref(operand)

    def made(operand):
        return captured(lambda: str(operand), MagicMock())

    replay = made(operand)
    del operand
    gc.collect()
    assert kept() is not None
    del replay
    gc.collect()
    assert kept() is None


def graphed(cuda, module=LoopedLSTM):
    """A module under graphs that note what happens to them."""
    eager = prepare_module(PROBLEM, WEIGHTS, "cpu", "sequence", module, inference=torch.no_grad)
    return torch_graphs.graphed(eager, cuda.waited, cuda)


@pytest.mark.parametrize("module", [LoopedLSTM, FlatLSTM])
def test_a_module_under_a_graph_agrees_and_copies_its_results(module):
    prepared = graphed(MagicMock(), module)
    want = agreement.expected(PROBLEM, "sequence", WEIGHTS)
    for mode in torch_graphs.MODES:
        assert agreement.check(prepared, PROBLEM, "sequence", mode, want).error < 2e-5
    state = prepared.load(make_inputs(PROBLEM, 11))
    first, second = prepared.forward(state), prepared.forward(state)
    assert all(a.data_ptr() != b.data_ptr() for a, b in zip(first, second, strict=True))
    assert prepared.backward is None
    assert prepared.forward_train is None


@pytest.mark.parametrize("mode", torch_graphs.MODES)
def test_a_graph_is_recorded_when_inputs_are_loaded_and_a_call_replays_it_and_waits(mode):
    prepared = graphed(cuda := MagicMock())
    state = prepared.load(make_inputs(PROBLEM, 11))
    prepared.load(make_inputs(PROBLEM, 12))
    assert told(cuda).count("graph().__enter__") == 4
    assert told(cuda).count("Stream") == 1, "each stream has a workspace of its own in PyTorch"
    assert told(cuda).count("CUDAGraph().replay") == 4, "the first replay of a graph takes longer"
    assert prepared.compiled_before() > 0, "a part of the first call"
    assert prepared.compiled_before() == 0
    cuda.reset_mock()
    prepared.call(mode)(state)
    assert told(cuda) == ["CUDAGraph().replay", "waited"]
    prepared.submit(mode)(state)
    assert told(cuda) == ["CUDAGraph().replay", "waited", "CUDAGraph().replay"]


@pytest.mark.nightly
def test_every_tensor_of_a_pytorch_implementation_is_on_the_device():
    if not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"):
        pytest.skip("this torch can't make a device")
    done = python("-m", "tests.helpers.fake_device")
    assert done.stdout, done.stderr
    control, *found = json.loads(done.stdout.splitlines()[-1])
    assert "two devices" in control[-1]
    assert [each for each in found if each[-1]] == []
    names = {name for name, *_, fault in found if fault is not None}
    assert {"torch_cell", "torch_lstm", "torch_lstmcell"} <= names


def test_native_runs_without_both_libraries_and_leaves_them_on(monkeypatch):
    seen = []

    def noting(result):
        def noted(*_, **__):
            seen.append((torch.backends.mkldnn.enabled, torch.backends.cudnn.enabled))
            return result

        return noted

    monkeypatch.setattr(torch_lstm_native.FlatLSTM, "forward", noting(("result",)))
    monkeypatch.setattr(torch.autograd, "grad", noting(()))
    prepared = torch_lstm_native.prepare(PROBLEM, WEIGHTS, "cpu", "sequence")
    state = prepared.load(make_inputs(PROBLEM))
    for mode, times in {"forward": 1, "forward_train": 1, "backward": 1, "train_step": 2}.items():
        prepared.call(mode)(state)
        prepared.submit(mode)(state)
        assert seen == [(False, False)] * 2 * times, mode
        seen.clear()
    assert torch.backends.mkldnn.enabled
    assert torch.backends.cudnn.enabled


@pytest.mark.parametrize("workload", ["sequence", "model"])
def test_a_mode_of_torch_waits_once_and_without_its_wait_gives_the_same_at_once(workload, monkeypatch):
    waits, weights, inputs, before = [], make_weights(PROBLEM, workload), make_inputs(PROBLEM, 11), {}
    monkeypatch.setattr(torch_family, "wait_for", lambda device: lambda: waits.append(1))
    prepared = prepare_module(PROBLEM, weights, "cpu", workload, LoopedLSTM)
    for mode in MODES:
        for call, number in ((prepared.submit(mode), 0), (prepared.call(mode), 1)):
            state = prepared.start(mode, inputs)
            waits.clear()
            result = prepared.to_numpy(mode, call(state))
            assert len(waits) == number
            if mode == "backward":  # from the same forward_train, it may be called again
                assert agreement.compare(prepared.to_numpy(mode, call(state)), result, "float64").error == 0
            if number:
                assert agreement.compare(result, before, "float64").error == 0
            before = result


@pytest.mark.process
def test_a_mode_of_jax_waits_once_and_without_its_wait_gives_the_same_at_once(monkeypatch):
    waits = []
    monkeypatch.setattr(jax_family.jax, "block_until_ready", lambda tree: waits.append(1) or tree)
    prepared = registry.load(registry.resolve("jax_scan")).prepare(PROBLEM, WEIGHTS, "cpu", "sequence")
    state = prepared.start("forward", make_inputs(PROBLEM, 11))
    waits.clear()
    submitted = prepared.to_numpy("forward", prepared.submit("forward")(state))
    assert not waits
    waited = prepared.to_numpy("forward", prepared.forward(state))
    assert waits == [1]
    assert agreement.compare(waited, submitted, "float64").error == 0
