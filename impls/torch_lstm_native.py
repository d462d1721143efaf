"""torch.nn.LSTM with oneDNN and cuDNN switched off: ATen's own loop.

That is what torch.nn.LSTM falls back to where oneDNN or cuDNN does not support a problem.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from impls.api import MODES_OF, Prepared, Problem, Weights
from impls.families.torch import FlatLSTM, prepare_module

FRAMEWORK = "torch"
TRACK = "default"
WORKLOADS = ("cell", "sequence", "model", "train")
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast")
VARIANTS = ("lengths", "proj_size", "batch_first", "dropout", "resets")
OPTIONAL = True

BACKENDS: tuple[Any, ...] = (torch.backends.mkldnn, torch.backends.cudnn)


def native(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the same call without oneDNN and cuDNN, forward and backward."""

    def run(state: Any) -> Any:
        before = [backend.enabled for backend in BACKENDS]
        for backend in BACKENDS:
            backend.enabled = False
        try:
            return call(state)
        finally:
            for backend, enabled in zip(BACKENDS, before, strict=True):
                backend.enabled = enabled

    return run


def prepare(problem: Problem, weights: Weights, device: str, workload: str) -> Prepared:
    """See impls/core/contract.py."""
    prepared = prepare_module(problem, weights, device, workload, FlatLSTM)
    submit = prepared.submit
    assert submit is not None
    modes: dict[str, Any] = {mode: native(prepared.call(mode)) for mode in MODES_OF[workload]}
    return replace(prepared, submit=lambda mode: native(submit(mode)), **modes)
