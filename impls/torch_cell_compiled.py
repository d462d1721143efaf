"""torch.compile of the custom cell: a chunk of unrolled time steps is one compiled graph.

Compiling a single step leaves the cost of the Python loop at every step. Compiling the whole loop takes minutes for
long sequences. docs/decisions/0002-tuned-track.md has the figures.
"""

import torch
from torch import Tensor

from impls.families.torch import HoistedLSTM, of_module, settle_compiler

FRAMEWORK = "torch"
TRACK = "tuned"
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float64", "bfloat16", "float16")
COMPILE_MINUTES = 3

CHUNK = 8
"""The time steps that are one compiled graph."""

settle_compiler()
compiled = torch.compile(HoistedLSTM.steps, dynamic=False, fullgraph=True)


class CompiledLSTM(HoistedLSTM):
    """The loop in compiled chunks, each unrolled by the compiler."""

    @staticmethod
    def steps(
        projected: tuple[Tensor, ...], h: Tensor, c: Tensor, recurrent: Tensor
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """See HoistedLSTM."""
        outputs: list[Tensor] = []
        for start in range(0, len(projected), CHUNK):
            chunk, h, c = compiled(projected[start : start + CHUNK], h, c, recurrent)
            outputs += chunk
        return outputs, h, c


prepare = of_module(CompiledLSTM)
