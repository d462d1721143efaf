"""One test for each fault of the notebook that the suite grew out of."""

import pytest
import torch

from impls.torch_cell import LSTMCell, LSTMModel


def test_reset_parameters_draws_every_parameter_within_one_over_root_h():
    """The notebook looped over self.parameters, a method it never called."""
    cell = LSTMCell(8, 25)
    for parameter in cell.parameters():
        parameter.data.fill_(9.0)
    cell.reset_parameters()
    drawn = list(cell.parameters())
    assert len(drawn) == 4
    assert all(0 < parameter.abs().max() <= 0.2 for parameter in drawn)


def test_a_batch_of_one_keeps_its_axis():
    """The notebook squeezed the gates, which drops the batch axis where batch is 1."""
    h, c = LSTMCell(3, 4)(torch.randn(1, 3), (torch.randn(1, 4), torch.randn(1, 4)))
    assert h.shape == c.shape == (1, 4)


@pytest.mark.parametrize("bias", [True, False])
def test_the_model_hands_bias_on_as_bias(bias):
    """The notebook handed layer_dim to LSTMCell as its bias."""
    model = LSTMModel(3, 4, 1, 2, bias=bias)
    assert any(name.endswith("x2h.bias") for name, _ in model.named_parameters()) is bias


@pytest.mark.parametrize(("batch", "hidden"), [(1, 4), (3, 1)])
def test_the_last_output_keeps_its_axes_and_takes_device_and_dtype_from_the_input(batch, hidden, monkeypatch):
    """The notebook squeezed the last output, asked the machine for its device, and named an undefined hidden_dim."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    out = LSTMModel(2, hidden, 2, 5).double()(torch.randn(batch, 6, 2, dtype=torch.float64))
    assert (out.shape, out.dtype, out.device.type) == ((batch, 5), torch.float64, "cpu")
