"""The recurrence as a torch.autograd.Function: a hand-written backward, weight gradients batched over time.

The loop of the backward does only what is sequential, dz_t @ W_hh. The gradients of W_ih, W_hh, b and x are a single
matrix product each, over all T·B rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from impls.api import Problem
from impls.families.torch import CanonicalLSTM


def forward_loop(z: Tensor, weight_hh: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    """Fill z (T, B, 4H), which holds the input projections, with the gates' values i, f, g, o.

    Returns:
        All h (T + 1, B, H), the first of them given, and the last c; then all c, and tanh of every c, (T, B, H).
    """
    recurrent = weight_hh.t().contiguous()
    steps, batch, hidden = z.shape[0], z.shape[1], h.shape[-1]
    all_h, all_c = z.new_empty(steps + 1, batch, hidden), z.new_empty(steps + 1, batch, hidden)
    tanh_c = z.new_empty(steps, batch, hidden)
    all_h[0], all_c[0] = h, c
    hs, cs = all_h.unbind(0), all_c.unbind(0)
    # the gates side by side as (i, f), g, o: one sigmoid serves two of them
    pairs, gs, os = (
        z[:, :, : 2 * hidden].unbind(0),
        z[:, :, 2 * hidden : 3 * hidden].unbind(0),
        z[:, :, 3 * hidden :].unbind(0),
    )
    i_s, f_s = z[:, :, :hidden].unbind(0), z[:, :, hidden : 2 * hidden].unbind(0)
    for t, (z_t, tanh_t) in enumerate(zip(z.unbind(0), tanh_c.unbind(0), strict=True)):
        z_t.addmm_(hs[t], recurrent)
        pairs[t].sigmoid_()
        gs[t].tanh_()
        os[t].sigmoid_()
        torch.mul(f_s[t], cs[t], out=cs[t + 1]).addcmul_(i_s[t], gs[t])
        torch.tanh(cs[t + 1], out=tanh_t)
        torch.mul(os[t], tanh_t, out=hs[t + 1])
    return all_h, all_c[-1], all_c, tanh_c


def backward_loop(
    gates: Tensor, weight_hh: Tensor, all_c: Tensor, tanh_c: Tensor, d_output: Tensor, d_h: Tensor, d_c: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of the gates' inputs (T, B, 4H), and of the first h and c (B, H)."""
    steps, batch, hidden = tanh_c.shape
    i, f, g, o = gates.chunk(4, 2)
    # everything that does not depend on the sequential d_h and d_c, for all steps at once
    by_c = torch.empty_like(gates)
    torch.mul(g, i * (1 - i), out=by_c[:, :, :hidden])
    torch.mul(all_c[:-1], f * (1 - f), out=by_c[:, :, hidden : 2 * hidden])
    torch.mul(i, 1 - g * g, out=by_c[:, :, 2 * hidden : 3 * hidden])
    by_h_o = tanh_c * (o * (1 - o))
    by_h_c = o * (1 - tanh_c * tanh_c)
    d_z = by_c
    blocks = d_z.view(steps, batch, 4, hidden)[:, :, :3].unbind(0)
    outs = d_z[:, :, 3 * hidden :].unbind(0)
    rows, by_h_os, by_h_cs, fs, d_outputs = (part.unbind(0) for part in (d_z, by_h_o, by_h_c, f, d_output))
    state, d_h, d_c = d_h.shape, d_h.reshape(batch, hidden), d_c.reshape(batch, hidden).clone()
    for t in range(steps - 1, -1, -1):
        d_h = torch.addmm(d_outputs[t], rows[t + 1], weight_hh) if t + 1 < steps else d_outputs[t] + d_h
        d_c.addcmul_(d_h, by_h_cs[t])
        blocks[t].mul_(d_c.unsqueeze(1))
        torch.mul(d_h, by_h_os[t], out=outs[t])
        d_c.mul_(fs[t])
    return d_z, (rows[0] @ weight_hh).view(state), d_c.view(state)


class Loops(NamedTuple):
    """The sequential part of a Recurrence.

    forward: fills z (T, B, 4H), which holds the input projections, with the gates' values; takes z, weight_hh, h and c
        (…, B, H), and returns all h (T + 1, B, H), the last c (B, H), and what backward needs.
    backward: takes the gates' values, weight_hh, what forward returned for it, and the gradients of the output and of
        the last h and c (…, B, H); returns those of the gates' inputs (T, B, 4H), and of the first h and c (…, B, H).
    """

    forward: Callable[..., tuple[Tensor, ...]]
    backward: Callable[..., tuple[Tensor, Tensor, Tensor]]


PYTHON = Loops(forward_loop, backward_loop)


class Recurrence(torch.autograd.Function):
    """One direction of one layer: x (T, B, I), h0 and c0 (…, B, H), loops, weights → output (T, B, H), h_n, c_n."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: Tensor, h0: Tensor, c0: Tensor, loops: Loops, *weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        bias = None if bias_ih is None else bias_ih + bias_hh
        z = torch.nn.functional.linear(x, weight_ih, bias)
        all_h, last_c, *needed = loops.forward(z, weight_hh, h0, c0)
        ctx.save_for_backward(x, weight_ih, weight_hh, z, all_h, *needed)
        ctx.has_bias, ctx.loops = bias is not None, loops
        return all_h[1:], all_h[-1].clone().view_as(h0), last_c.clone().view_as(c0)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, d_output: Tensor, d_h_n: Tensor, d_c_n: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, weight_ih, weight_hh, gates, all_h, *needed = ctx.saved_tensors
        d_z, d_h0, d_c0 = ctx.loops.backward(gates, weight_hh, *needed, d_output, d_h_n, d_c_n)
        rows = d_z.flatten(0, 1)
        d_weights = rows.t() @ x.flatten(0, 1), rows.t() @ all_h[:-1].flatten(0, 1)
        d_x = d_z @ weight_ih if ctx.needs_input_grad[0] else None
        d_bias = rows.sum(0) if ctx.has_bias else None
        return d_x, d_h0, d_c0, None, *d_weights, d_bias, d_bias


class RecurrentLSTM(CanonicalLSTM):
    """Each direction of each layer is a Recurrence."""

    def __init__(self, problem: Problem, loops: Loops = PYTHON) -> None:
        super().__init__(problem)
        self.loops = loops

    def layer(self, suffix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return Recurrence.apply(x, h, c, self.loops, *self.weights(suffix))  # type: ignore[no-any-return, no-untyped-call]

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor, *lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if len(h0) == 1:  # there is nothing to take apart and to put together, which takes 50 µs
            return self.layer("l0", x, h0, c0)
        return super().forward(x, h0, c0, *lengths)
