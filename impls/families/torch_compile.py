"""What the implementations under torch.compile share: settings without which they would not be measured fairly."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from impls.families.torch_modules import CanonicalLSTM

CHUNK = 8
"""The time steps that are one compiled graph."""


def settle() -> None:
    """Let torch.compile recompile for each problem, and never fall back to eager silently."""
    torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = 1024
    torch._dynamo.config.fail_on_recompile_limit_hit = True  # a silent fallback to eager would be timed
    torch._functorch.config.donated_buffer = False  # `backward` is called again on the same graph. All modes get it


def steps(
    projected: tuple[Tensor, ...], h: Tensor, c: Tensor, recurrent: Tensor
) -> tuple[list[Tensor], Tensor, Tensor]:
    """A few time steps, unrolled by the compiler: projected inputs (B, 4H) each → every h, the last h and c."""
    outputs = []
    for z in projected:
        i, f, g, o = torch.addmm(z, h, recurrent).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return outputs, h, c


class ChunkedLSTM(CanonicalLSTM):
    """Hoisted input projection; the loop in chunks of CHUNK steps, which a subclass compiles as `compiled_steps`."""

    compiled_steps = staticmethod(steps)

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See CanonicalLSTM."""
        weight_ih, weight_hh, *_ = self.weights(suffix)
        bias = self.summed_bias(suffix)
        recurrent = weight_hh.t().contiguous()
        projected = functional.linear(x, weight_ih, bias).unbind(0)
        outputs: list[Tensor] = []
        for start in range(0, len(projected), CHUNK):
            chunk, h, c = self.compiled_steps(projected[start : start + CHUNK], h, c, recurrent)
            outputs += chunk
        return torch.stack(outputs), h, c
