"""Of two recurrent layers looped by torch's scan and compiled in one graph, the first's weights get
wrong gradients (2.9 raises).
https://github.com/pytorch/pytorch/issues/153679

Fails with: torch>=2.9,<2.15
Instead: `import torch._functorch.config`, then `torch._functorch.config.donated_buffer = False`, or take 2.15.
"""

import torch
from torch._higher_order_ops.scan import scan


def layer(x, weight):
    def step(h, row):
        h = torch.sigmoid(row + h @ weight) * torch.tanh(row + h @ weight)
        return h.clone(), h

    return scan(step, torch.zeros(2, 4), x)[1]


def loss(first, second):
    return layer(layer(x, first), second).square().sum()


torch.manual_seed(0)
x = torch.randn(5, 2, 4)
weights = [torch.randn(4, 4, requires_grad=True) for _ in range(2)]
(compiled, _) = torch.autograd.grad(torch.compile(loss, fullgraph=True)(*weights), weights)
(plain, _) = torch.autograd.grad(loss(*weights), weights)
assert torch.allclose(compiled, plain), f"the compiled gradient is off by {(compiled - plain).abs().max()}"
