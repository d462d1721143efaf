"""torch.nn.LSTM under torch.compile with dynamic shapes: one compilation for any batch. The time steps are unrolled."""

import torch
from torch import nn

from impls.families.torch import FlatLSTM, of_module, settle_compiler

FRAMEWORK = "torch"
TRACK = "tuned"
WORKLOADS = ("cell", "sequence")  # torch 2.13 can't compile the model's step: mkldnn_rnn_layer gets no tensor
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast")
VARIANTS = ("proj_size", "batch_first", "resets")  # torch 2.13 compiles nn.LSTM without its dropout
FAILS = ("lengths", "dropout", "int8")
OPTIONAL = True
COMPILE_MINUTES = 10

settle_compiler()
torch._dynamo.config.allow_rnn = True


class DynamicLSTM(FlatLSTM):
    """FlatLSTM with nn.LSTM's forward compiled."""

    run = torch.compile(nn.LSTM.forward, dynamic=True, fullgraph=True)


prepare = of_module(DynamicLSTM)
