"""torch.nn.LSTM under a CUDA graph: cuDNN's kernels are submitted in one launch. It needs a CUDA device."""

from impls.families.torch import FlatLSTM
from impls.families.torch_graphs import of_module

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cuda",)
WORKLOADS = ("cell", "sequence")
OPTIONAL = True

prepare = of_module(FlatLSTM)
