"""The custom cell under a CUDA graph: all its kernels are submitted in one launch. It needs a CUDA device."""

from impls.families.torch import LoopedLSTM
from impls.families.torch_graphs import of_module

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cuda",)
WORKLOADS = ("cell", "sequence")
OPTIONAL = True

prepare = of_module(LoopedLSTM)
