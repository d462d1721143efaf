"""An LSTM's recurrence as two Triton kernels, each a single launch for the whole sequence.

A program owns some rows of the batch and some hidden units. At every step it needs the states of all units, so after
every step all programs meet: each counts itself in, and waits until all have. They can meet only if all of them run at
the same time, so there must not be more of them than the GPU has multiprocessors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

SMALLEST = 16
"""The fewest rows, columns and depth of a product that Triton does."""
DEPTHS = {"float32": 32, "bfloat16": 64, "float16": 64}


@triton.jit
def tanh(x):  # type: ignore[no-untyped-def]
    """Return tanh of x. Near 0, where 1 - exp(-2x) would lose digits, its series."""
    s = x * x
    near = x * (1 + s * (-1 / 3 + s * (2 / 15 + s * (-17 / 315 + s * (62 / 2835)))))
    e = tl.exp(-2 * tl.abs(x))
    far = (1 - e) / (1 + e)
    return tl.where(tl.abs(x) < 0.3, near, tl.where(x < 0, -far, far))


@triton.jit
def sigmoid(x):  # type: ignore[no-untyped-def]
    """Return the logistic function of x."""
    return 1 / (1 + tl.exp(-x))


@triton.jit
def meet(counter, due):  # type: ignore[no-untyped-def]
    """Wait until `due` arrivals have been counted, this one among them."""
    tl.debug_barrier()  # all of this program have written what they write
    tl.atomic_add(counter, 1, sem="release")
    while tl.atomic_add(counter, 0, sem="acquire") < due:
        pass
    tl.debug_barrier()


@triton.jit  # type: ignore[untyped-decorator]
def part(batch, hidden, ROWS: tl.constexpr, UNITS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return this program's rows and units, which of them exist, alone and as pairs, and where a pair's numbers are.

    Where: in an array (B, H), and in one (B, 4H), its first gate.
    """
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    units = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    in_batch, in_hidden = (rows < batch)[:, None], units < hidden
    state = rows[:, None] * hidden + units[None, :]
    gate = rows[:, None] * (4 * hidden) + units[None, :]
    return rows, units, in_batch, in_hidden, in_batch & in_hidden[None, :], state, gate


@triton.jit
def four(place, hidden, mine):  # type: ignore[no-untyped-def]
    """Return what stands at the four gates of these pairs, in float32."""
    i = tl.load(place, mask=mine, other=0.0).to(tl.float32)
    f = tl.load(place + hidden, mask=mine, other=0.0).to(tl.float32)
    g = tl.load(place + 2 * hidden, mask=mine, other=0.0).to(tl.float32)
    o = tl.load(place + 3 * hidden, mask=mine, other=0.0).to(tl.float32)
    return i, f, g, o


@triton.jit  # type: ignore[untyped-decorator]
def forward_kernel(  # type: ignore[no-untyped-def]
    z,  # (T, B, 4H): the input projections; then the gates' values i, f, g, o
    weight,  # (4H, H)
    h,  # (T + 1, B, H): the first is given
    c,  # (T + 1, B, H), float32: the first is given
    counter,
    first,
    last,
    batch,
    hidden,
    PRECISION: tl.constexpr,
    ROWS: tl.constexpr,
    UNITS: tl.constexpr,
    DEPTH: tl.constexpr,
    MEET: tl.constexpr,
):
    """Do the steps from `first` to before `last`."""
    rows, units, in_batch, in_hidden, mine, state, gate = part(batch, hidden, ROWS, UNITS)
    programs = tl.num_programs(0) * tl.num_programs(1)
    for t in tl.range(first, last, num_stages=1):  # nothing of a step may be loaded before all have met
        now = z + t * batch * 4 * hidden + gate
        h_t = h + t * batch * hidden
        c_t = c + t * batch * hidden + state
        i, f, g, o = four(now, hidden, mine)
        for k in range(0, hidden, DEPTH):
            ks = k + tl.arange(0, DEPTH)
            before = tl.load(
                h_t + rows[:, None] * hidden + ks[None, :],
                mask=in_batch & (ks < hidden)[None, :],
                other=0.0,
            )
            column = weight + units[None, :] * hidden + ks[:, None]
            there = (ks < hidden)[:, None] & in_hidden[None, :]
            i = tl.dot(before, tl.load(column, mask=there, other=0.0), i, input_precision=PRECISION)
            column += hidden * hidden
            f = tl.dot(before, tl.load(column, mask=there, other=0.0), f, input_precision=PRECISION)
            column += hidden * hidden
            g = tl.dot(before, tl.load(column, mask=there, other=0.0), g, input_precision=PRECISION)
            column += hidden * hidden
            o = tl.dot(before, tl.load(column, mask=there, other=0.0), o, input_precision=PRECISION)
        i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
        new = f * tl.load(c_t, mask=mine, other=0.0) + i * g
        tl.store(now, i, mask=mine)
        tl.store(now + hidden, f, mask=mine)
        tl.store(now + 2 * hidden, g, mask=mine)
        tl.store(now + 3 * hidden, o, mask=mine)
        tl.store(c_t + batch * hidden, new, mask=mine)
        tl.store(h_t + batch * hidden + state, o * tanh(new), mask=mine)
        if MEET:
            meet(counter, programs * (t + 1 - first))


@triton.jit  # type: ignore[untyped-decorator]
def backward_kernel(  # type: ignore[no-untyped-def]
    gates,  # (T, B, 4H): the gates' values i, f, g, o
    weight,  # (4H, H)
    c,  # (T + 1, B, H), float32
    d_output,  # (T, B, H)
    d_c,  # (B, H), float32: the gradient of the last c; then that of the first
    d_z,  # (T, B, 4H): is filled in
    counter,
    steps,
    first,
    last,
    batch,
    hidden,
    PRECISION: tl.constexpr,
    ROWS: tl.constexpr,
    UNITS: tl.constexpr,
    DEPTH: tl.constexpr,
    MEET: tl.constexpr,
):
    """Do the steps from `first` to before `last`, counted from the end of the sequence."""
    rows, units, in_batch, in_hidden, mine, state, gate = part(batch, hidden, ROWS, UNITS)
    programs = tl.num_programs(0) * tl.num_programs(1)
    for done in tl.range(first, last, num_stages=1):
        t = steps - 1 - done
        d_h = tl.load(d_output + t * batch * hidden + state, mask=mine, other=0.0).to(tl.float32)
        if done > 0:
            later = d_z + (t + 1) * batch * 4 * hidden
            for k in range(0, 4 * hidden, DEPTH):
                ks = k + tl.arange(0, DEPTH)
                there = ks < 4 * hidden
                left = tl.load(
                    later + rows[:, None] * (4 * hidden) + ks[None, :],
                    mask=in_batch & there[None, :],
                    other=0.0,
                )
                right = tl.load(
                    weight + ks[:, None] * hidden + units[None, :], mask=there[:, None] & in_hidden[None, :], other=0.0
                )
                d_h = tl.dot(left, right, d_h, input_precision=PRECISION)
        now = gates + t * batch * 4 * hidden + gate
        i, f, g, o = four(now, hidden, mine)
        c_t = c + t * batch * hidden + state
        tanh_c = tanh(tl.load(c_t + batch * hidden, mask=mine, other=0.0))
        by_c = tl.load(d_c + state, mask=mine, other=0.0) + d_h * o * (1 - tanh_c * tanh_c)
        out = d_z + t * batch * 4 * hidden + gate
        tl.store(out, by_c * g * i * (1 - i), mask=mine)
        tl.store(out + hidden, by_c * tl.load(c_t, mask=mine, other=0.0) * f * (1 - f), mask=mine)
        tl.store(out + 2 * hidden, by_c * i * (1 - g * g), mask=mine)
        tl.store(out + 3 * hidden, d_h * tanh_c * o * (1 - o), mask=mine)
        tl.store(d_c + state, by_c * f, mask=mine)
        if MEET:
            meet(counter, programs * (done + 1 - first))


@dataclass(frozen=True)
class Programs:
    """How the work of a step is divided: programs by rows and by units, and the sizes of each one's part."""

    grid: tuple[int, int]
    rows: int
    units: int

    @property
    def warps(self) -> int:
        """The warps of a program. With fewer, most of what a large part holds would not fit into registers."""
        return max(4, min(16, self.rows * self.units // 128))


def divide(batch: int, hidden: int, multiprocessors: int) -> Programs | None:
    """Return the smallest parts with which there are no more programs than multiprocessors; None where none are."""
    for size in (SMALLEST, 2 * SMALLEST, 4 * SMALLEST):
        rows = min(size, max(SMALLEST, triton.next_power_of_2(batch)))
        grid = triton.cdiv(batch, rows), triton.cdiv(hidden, size)
        if grid[0] * grid[1] <= multiprocessors:
            return Programs(grid, rows, size)
    return None


@dataclass(frozen=True)
class Launcher:
    """Launches a kernel: once for all steps or, where programs cannot meet, once for each step.

    programs: how the work is divided.
    precision: of products: `ieee` or `tf32`.
    together: whether all programs run at the same time, and so can meet.
    """

    programs: Programs
    precision: str
    together: bool = True

    def launch(self, kernel: Any, *arrays: Tensor, steps: int, counted: tuple[int, ...] = ()) -> None:
        """Launch a kernel for all steps. It gets `counted` between the counter and the steps.

        The last axis of the second array has H numbers.
        """
        hidden, batch = arrays[1].shape[-1], arrays[0].shape[1]
        counter = torch.zeros(1, dtype=torch.int32, device=arrays[0].device)
        dtype = str(arrays[0].dtype).removeprefix("torch.")
        pieces = [(0, steps)] if self.together else [(k, k + 1) for k in range(steps)]
        # so launched, programs that cannot all run at once are refused, where they would wait for ever
        options = {"launch_cooperative_grid": True} if self.together and arrays[0].is_cuda else {}
        for first, last in pieces:
            kernel[self.programs.grid](
                *arrays,
                counter,
                *counted,
                first,
                last,
                batch,
                hidden,
                PRECISION=self.precision,
                ROWS=self.programs.rows,
                UNITS=self.programs.units,
                DEPTH=DEPTHS[dtype],
                MEET=self.together,
                num_warps=self.programs.warps,
                **options,
            )

    def forward(self, z: Tensor, weight_hh: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        """Fill z (T, B, 4H), which holds the input projections, with the gates' values.

        Returns:
            All h (T + 1, B, H), the first of them given, the last c, and all c, in float32 whatever the dtype is.
        """
        steps, batch, hidden = z.shape[0], z.shape[1], h.shape[-1]
        all_h = z.new_empty(steps + 1, batch, hidden)
        all_c = torch.empty(steps + 1, batch, hidden, dtype=torch.float32, device=z.device)
        all_h[0], all_c[0] = h, c
        self.launch(forward_kernel, z, weight_hh, all_h, all_c, steps=steps)
        return all_h, all_c[-1].to(z.dtype), all_c

    def backward(
        self, gates: Tensor, weight_hh: Tensor, all_c: Tensor, d_output: Tensor, d_h: Tensor, d_c: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of the gates' inputs (T, B, 4H), and of the first h and c (B, H)."""
        d_z, d_c = torch.empty_like(gates), d_c.float().clone()
        d_output = d_output.clone(memory_format=torch.contiguous_format)
        d_output[-1] += d_h.reshape(d_output.shape[1:])
        steps = len(gates)
        self.launch(backward_kernel, gates, weight_hh, all_c, d_output, d_c, d_z, steps=steps, counted=(steps,))
        return d_z, (d_z[0] @ weight_hh).view(d_h.shape), d_c.to(gates.dtype)
