"""LSTMs in C++ for the CPU: `native_lstm.LSTM`, which replaces torch.nn.LSTM, and `native_lstm.jax`."""

from typing import Any

__all__ = ["LSTM"]


def __getattr__(name: str) -> Any:
    """Import PyTorch only where its module is wanted."""
    if name == "LSTM":
        from . import module

        return module.LSTM
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
