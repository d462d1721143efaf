"""One test for each fault of the notebook that the suite grew out of, and for what it studied by printing."""

import pytest
import torch

from impls.torch_cell import LSTMCell, LSTMModel


def test_reset_parameters_draws_every_parameter_within_one_over_root_h():
    """The notebook looped over self.parameters, a method it never called."""
    cell = LSTMCell(8, 25)
    before = [parameter.clone() for parameter in cell.parameters()]
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.fill_(9.0)
    cell.reset_parameters()
    assert len(before) == 4
    for old, new in zip(before, cell.parameters(), strict=True):
        assert new.abs().max() <= 0.2
        assert not torch.equal(old, new)


def test_a_batch_of_one_keeps_its_axis():
    """The notebook squeezed the gates, which drops the batch axis where batch is 1."""
    h, c = LSTMCell(3, 4)(torch.randn(1, 3), (torch.randn(1, 4), torch.randn(1, 4)))
    assert h.shape == c.shape == (1, 4)


@pytest.mark.parametrize("bias", [True, False])
def test_the_model_hands_bias_on_as_bias(bias):
    """The notebook handed layer_dim to LSTMCell as its bias."""
    model = LSTMModel(3, 4, 0 + 1, 2, bias=bias)
    assert any(name.endswith("x2h.bias") for name, _ in model.named_parameters()) is bias


def test_the_model_builds_every_layer():
    """The notebook built one cell whatever layer_dim said."""
    model = LSTMModel(3, 4, 3, 2)
    assert sum(isinstance(part, LSTMCell) for part in model.modules()) == 3
    x = torch.randn(2, 5, 3, requires_grad=True)
    model(x).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


@pytest.mark.parametrize(("batch", "hidden"), [(1, 4), (3, 1)])
def test_the_last_output_keeps_batch_and_hidden_axes(batch, hidden):
    """The notebook squeezed the last output: wrong for batch 1 and for hidden_size 1."""
    assert LSTMModel(2, hidden, 1, 5)(torch.randn(batch, 6, 2)).shape == (batch, 5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_states_take_device_and_dtype_from_the_input(dtype, monkeypatch):
    """The notebook asked the machine, and named an undefined hidden_dim on its CPU path."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    model = LSTMModel(2, 3, 2, 4).to(dtype)
    out = model(torch.randn(2, 5, 2, dtype=dtype))
    assert (out.dtype, out.device.type) == (dtype, "cpu")


def test_states_are_layers_by_batch_by_hidden():
    """The (layers, batch, hidden) states: h_n[k] is the last output of layer k."""
    lstm = LSTMModel(3, 4, 2, 1).lstm
    x, zeros = torch.randn(5, 2, 3), torch.zeros(2, 2, 4)
    output, h_n, c_n = lstm(x, zeros, zeros)
    assert h_n.shape == c_n.shape == (2, 2, 4)
    torch.testing.assert_close(output[-1], h_n[-1])
