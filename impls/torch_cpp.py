"""native_lstm.LSTM, which replaces torch.nn.LSTM: each layer in C++, forward and backward, products of matrices too.

It is what `pip install ./impls/native` installs. It is compiled at the first call on a machine, which takes seconds,
and kept. There is no int8.
"""

from dataclasses import replace

import torch
from torch import Tensor

from impls.api import Prepared, Problem, Weights
from impls.families import compiled
from impls.families.torch import FlatLSTM, prepare_module
from impls.native import autograd
from impls.native.module import LSTM

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast")
WORKLOADS = ("cell", "sequence", "model", "train", "stream")
VARIANTS = ("lengths", "proj_size", "batch_first", "dropout", "resets")


class NativeLSTM(FlatLSTM, LSTM):
    """native_lstm.LSTM that takes h0 and c0, and lengths or resets, as arguments of their own."""

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor, *extra: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        """Return output, h_n and c_n."""
        options = {}
        if extra and self.resets:
            options["resets"] = extra[0].t() if self.batch_first else extra[0]
        elif extra:
            options["lengths"] = extra[0]
        output, (h_n, c_n) = LSTM.forward(self, x, (h0, c0), **options)
        return output, h_n, c_n


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    options = autograd.options(getattr(torch, problem.stored), problem.dtype == "autocast")
    compiled_before = compiled.seconds_before(autograd.SOURCE, *options)
    prepared = prepare_module(problem, weights, device, workload, NativeLSTM)
    return replace(prepared, compiled_before=compiled_before)
