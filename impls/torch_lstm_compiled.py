"""torch.nn.LSTM under torch.compile, which unrolls it: the option allow_rnn is off by default.

pytorch#185135 reports that it compiles for 7 s with two layers and for over 80 s with six; docs/cases.md has our
figures.
"""

import torch
from torch import Tensor

from impls.families.torch import FlatLSTM, of_module, settle_compiler

FRAMEWORK = "torch"
TRACK = "tuned"
WORKLOADS = ("cell", "sequence")  # torch 2.13 can't compile the model's step: mkldnn_rnn_layer gets no tensor
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
OPTIONAL = True

settle_compiler()
torch._dynamo.config.allow_rnn = True


@torch.compile(dynamic=False, fullgraph=True)
def compiled(lstm: FlatLSTM, x: Tensor, h0: Tensor, c0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Run nn.LSTM."""
    return FlatLSTM.forward(lstm, x, h0, c0)


class CompiledLSTM(FlatLSTM):
    """FlatLSTM, compiled."""

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        return compiled(self, x, h0, c0)  # type: ignore[no-any-return]


prepare = of_module(CompiledLSTM)
