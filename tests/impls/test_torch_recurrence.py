"""The batched products of PyTorch's tuned cells."""

from pathlib import Path

import pytest
import torch

from impls.families import torch_recurrence
from impls.families.torch_recurrence import ONEDNN, TORCH

BOTH = pytest.mark.parametrize("products", [TORCH, ONEDNN], ids=["torch", "oneDNN"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@BOTH
def test_gradients_of_weights_are_right_and_dense(products, dtype):
    """Autograd copies a gradient that is laid out otherwise than its parameter: that would not be timed."""
    d_z, x, h = (torch.randn(12, width, dtype=dtype) for width in (32, 3, 8))
    found = products.of_weights(d_z, x, h)
    for got, want in zip(found, (d_z.double().T @ x.double(), d_z.double().T @ h.double()), strict=True):
        assert got.is_contiguous()
        assert torch.allclose(got.double(), want, atol=1e-5)


@pytest.mark.parametrize(("vendor", "quickest"), [("GenuineIntel", TORCH), ("AuthenticAMD", ONEDNN)])
def test_mkl_is_taken_on_the_processors_that_it_is_made_for(vendor, quickest, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: f"vendor_id : {vendor}")
    assert torch_recurrence.quickest.__wrapped__() is quickest
