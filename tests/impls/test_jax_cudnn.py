"""jax_cudnn without a GPU: JAX's own unpacking of cuDNN's weights, reference and switch of TF32 stand for cuDNN."""

import pytest
from jax.experimental import rnn

from benchmarks.judge import agreement
from impls import jax_cudnn
from impls.core.precision import VARIABLE
from impls.core.problem import Problem
from impls.core.weights import make_weights

ALLOW_TF32 = rnn._lstm_cudnn_allow_tf32


@pytest.fixture
def allowed(monkeypatch):
    """What rnn.lstm would tell cuDNN of TF32, once for each trace; its results are those of JAX's reference."""
    told = []

    def lstm(x, h_0, c_0, weights, lengths, input_size, hidden_size, layers, dropout, bidirectional, precision):
        told.append(ALLOW_TF32(precision))
        sizes = input_size, hidden_size, layers
        each = rnn.unpack_lstm_weights(weights, *sizes, bidirectional)
        return rnn.lstm_ref(x, h_0, c_0, *each, lengths, *sizes, dropout, bidirectional)

    monkeypatch.setattr(rnn, "lstm", lstm)
    return told


@pytest.mark.parametrize(("text", "precision"), [("t3-b2-i5-h4-l2-bi", "tf32"), ("t4-b3-i2-h3-nobias", "ieee")])
def test_its_packed_weights_are_in_cudnns_order_and_tf32_is_taken_only_where_it_is_asked_for(
    text, precision, allowed, monkeypatch
):
    monkeypatch.setenv(VARIABLE, precision)
    problem = Problem.parse(text).replace(dtype="float64")
    weights = make_weights(problem, "sequence")
    prepared = jax_cudnn.prepare(problem, weights, "cpu", "sequence")
    want = agreement.expected(problem, "sequence", weights)
    assert agreement.check(prepared, problem, "sequence", "train_step", want).error < 1e-12
    assert set(allowed) == {precision == "tf32"}
