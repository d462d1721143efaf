"""What the implementations under torch.compile share: settings without which they would not be measured fairly."""

from __future__ import annotations

import torch


def settle() -> None:
    """Let torch.compile recompile for each problem, and never fall back to eager silently."""
    torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = 1024
    torch._dynamo.config.fail_on_recompile_limit_hit = True  # a silent fallback to eager would be timed
    torch._functorch.config.donated_buffer = False  # the mode `backward` is called again on the same graph
