"""Who does the batched products of PyTorch's tuned cells."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from impls.families import torch_products  # noqa: E402
from impls.families.torch_products import ONEDNN, TORCH  # noqa: E402


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("products", [TORCH, ONEDNN], ids=["torch", "oneDNN"])
def test_gradients_of_weights_are_right_and_dense(products, dtype):
    """Autograd copies a gradient that is laid out otherwise than its parameter: that would not be timed."""
    torch.manual_seed(0)
    d_z, x, h = (torch.randn(12, width, dtype=dtype) for width in (32, 3, 8))
    found = products.of_weights(d_z, x, h)
    for got, want in zip(found, (d_z.double().T @ x.double(), d_z.double().T @ h.double()), strict=True):
        assert got.is_contiguous()
        assert torch.allclose(got.double(), want, atol=1e-5)


@pytest.mark.parametrize("products", [TORCH, ONEDNN], ids=["torch", "oneDNN"])
@pytest.mark.parametrize("bias", [None, torch.arange(5.0)], ids=["no bias", "bias"])
def test_linear_is_that_of_torch_with_a_transposed_weight_too(products, bias):
    x, weight = torch.randn(4, 2, 3), torch.randn(3, 5).t()
    assert torch.allclose(products.linear(x, weight, bias), torch.nn.functional.linear(x, weight, bias), atol=1e-5)


@pytest.mark.parametrize(
    ("text", "quickest"), [("vendor_id : GenuineIntel", TORCH), ("vendor_id : AuthenticAMD", ONEDNN), (None, ONEDNN)]
)
def test_mkl_is_taken_on_the_processors_that_it_is_made_for(text, quickest, monkeypatch):
    def read_text(*_, **__):
        if text is None:
            raise FileNotFoundError
        return text

    monkeypatch.setattr(Path, "read_text", read_text)
    torch_products.quickest.cache_clear()
    try:
        assert torch_products.quickest() is quickest
    finally:
        torch_products.quickest.cache_clear()
