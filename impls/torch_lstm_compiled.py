"""torch.nn.LSTM under torch.compile, which unrolls it: the option allow_rnn is off by default.

pytorch#185135 reports that it compiles for 7 s with two layers and for over 80 s with six.
"""

import torch
from torch import nn

from impls.families.torch import FlatLSTM, of_module, settle_compiler

FRAMEWORK = "torch"
TRACK = "tuned"
WORKLOADS = ("cell", "sequence", "stream")  # torch 2.13 can't compile the model's step: mkldnn_rnn_layer gets no tensor
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast")
VARIANTS = ("proj_size", "batch_first", "resets")  # torch 2.13 compiles nn.LSTM without its dropout
FAILS = ("lengths", "dropout", "int8")
OPTIONAL = True
COMPILE_MINUTES = 3

settle_compiler()
torch._dynamo.config.allow_rnn = True


class CompiledLSTM(FlatLSTM):
    """FlatLSTM with nn.LSTM's forward compiled."""

    run = torch.compile(nn.LSTM.forward, dynamic=False, fullgraph=True)


prepare = of_module(CompiledLSTM)
