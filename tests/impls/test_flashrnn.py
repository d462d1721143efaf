"""FlashRNN's layout, with a function in place of its kernel that computes what its documentation says, in NumPy's way.

The function's layout was compared once with that of FlashRNN's own backend `vanilla`, which runs on a CPU.
"""

import pytest
import torch

from benchmarks.worker import agreement
from impls import flashrnn_lstm
from impls.core.contract import NotInstalled, Unsupported
from impls.core.precision import TF32, VARIABLE
from impls.core.problem import Problem
from impls.core.weights import make_weights
from impls.families.torch import prepare_module


def flashrnn(inputs, recurrent, bias, states, function, backend, dtype):
    """Run FlashRNN's LSTM.

    inputs (B, T, gate, head, H), recurrent (gate, head, H, H before), bias (gate, head, H), states (2, B, 1, head, H).
    Returns all states (2, B, T, head, H) and the last ones (2, B, 1, head, H).
    """
    assert (function, backend) == ("lstm", flashrnn_lstm.BACKEND)
    h, c = states[:, :, 0]
    found = []
    for step in inputs.unbind(1):
        raw = step + torch.einsum("bnp,gndp->bgnd", h, recurrent) + bias
        i, f, g, o = raw.unbind(1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        found.append(torch.stack([h, c]))
    return torch.stack(found, 2), found[-1][:, :, None]


@pytest.mark.parametrize("text", ["t5-b3-i4-h6", "t4-b2-i3-h5-l2-bi-nobias"])
def test_weights_states_and_gradients_are_where_flashrnn_wants_them(text):
    problem = Problem.parse(text)
    weights = make_weights(problem, "sequence")
    want = agreement.expected(problem, "sequence", weights)
    prepared = prepare_module(
        problem, weights, "cpu", "sequence", lambda sizes: flashrnn_lstm.FlashLSTM(sizes, flashrnn)
    )
    for mode in ("forward", "train_step"):
        assert agreement.check(prepared, problem, "sequence", mode, want).error < 2e-5


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.setattr(flashrnn_lstm.shutil, "which", lambda name: f"/bin/{name}")


def test_its_float32_is_for_tf32_only(monkeypatch, tools):
    problem = Problem.parse("t2-b16-i4-h16")
    with pytest.raises(Unsupported, match="--precision tf32"):
        flashrnn_lstm.prepare(problem, {}, "cuda", "sequence")
    monkeypatch.setenv(VARIABLE, TF32)
    with pytest.raises(NotInstalled, match="pip install flashrnn"):
        flashrnn_lstm.prepare(problem, {}, "cuda", "sequence")


def test_sizes_that_its_kernel_does_not_take_are_unsupported(tools):
    for text in ("t2-b8-i4-h20-float16", "t2-b3-i4-h16-float16"):
        with pytest.raises(Unsupported, match="multiples of 16 for hidden_size and of 8 for batch"):
            flashrnn_lstm.prepare(Problem.parse(text), {}, "cuda", "sequence")


def test_without_a_compiler_it_is_not_installed(monkeypatch):
    monkeypatch.setattr(flashrnn_lstm.shutil, "which", lambda name: None if name == "nvcc" else f"/bin/{name}")
    with pytest.raises(NotInstalled, match=r"^nvcc, with which"):
        flashrnn_lstm.prepare(Problem.parse("t2-b8-i4-h16-bfloat16"), {}, "cuda", "sequence")
