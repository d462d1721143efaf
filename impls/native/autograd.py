"""A layer of an LSTM by lstm.h, as a torch.autograd.Function.

Rows may be packed as in a PackedSequence: x is (N, I), and `rows` (T,) tells how many of them each step has. Otherwise
x is (T, B, I), and rows may have lengths. T, B, I, H, P, D: steps, batch, input_size, hidden_size, the width of h
(proj_size, or H without a projection), directions.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import _VF, Tensor
from torch.autograd import forward_ad
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from . import compiling

SOURCE = Path(__file__).with_name("torch_lstm.cpp")
STORED = {torch.float32: "Float", torch.float64: "Double", torch.float16: "Half", torch.bfloat16: "BFloat"}
"""The dtypes, and what lstm.h calls them."""
KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
"""The weights of a direction, in the order of lstm.h."""
forked: list[int] = []
"""Not empty in a process that was forked: it has none of its parent's threads, and OpenMP would wait for them."""
os.register_at_fork(after_in_child=lambda: forked.append(os.getpid()))


def options(dtype: torch.dtype, autocast: bool = False) -> list[str]:
    """Return the compiler's options for the library of a dtype; under autocast products are of bfloat16."""
    return [f"-DSTORED={STORED[dtype]}", *(["-DAUTOCAST"] if autocast else [])]


@functools.cache
def function(name: str, dtype: torch.dtype, autocast: bool = False) -> Any:
    """Return lstm_forward or lstm_backward for a dtype."""
    return getattr(compiling.library(SOURCE, *options(dtype, autocast)), f"lstm_{name}")


@dataclass(slots=True)
class Layer:
    """The sizes of a layer, and which rows it has.

    rows: (T,) int64, how many packed rows each step has, largest first; None where x is (T, B, I).
    lengths: (B,) int32, of the rows of x (T, B, I), each from 1 to T; None where all are T.
    resets: (N,) bool, where a row's h and c are 0 before its step; or None.
    autocast: whether products are of bfloat16.
    """

    steps: int
    batch: int
    input: int
    hidden: int
    projected: int
    directions: int
    rows: Tensor | None
    lengths: Tensor | None
    resets: Tensor | None
    autocast: bool = False

    def call(self, name: str, dtype: torch.dtype, tensors: Sequence[Tensor | None]) -> None:
        """Call a function of lstm.h on dense tensors, in the order of its struct.

        Raises:
            MemoryError: where there is not enough.
        """
        values = [self.steps, self.batch, self.input, self.hidden, self.projected, self.directions]
        arrays = (self.rows, self.lengths, self.resets, *tensors)
        values += [0 if tensor is None else tensor.data_ptr() for tensor in arrays]
        struct = (ctypes.c_int64 * len(values))(*values)
        threads = 1 if forked else torch.get_num_threads()
        if function(name, dtype, self.autocast)(struct, threads):
            raise MemoryError(f"not enough memory for an LSTM of {self.steps} steps and {self.batch} rows")


def of_directions(weights: Sequence[Tensor | None], directions: int) -> list[Tensor | None]:
    """Return weights for the two directions that lstm.h has a place for, whether there are two or not."""
    return [*weights, *[None] * (len(KINDS) * (2 - directions))]


def forward(layer: Layer, keep: bool, x: Tensor, h0: Tensor, c0: Tensor, *weights: Tensor | None) -> list[Tensor]:
    """Return output (…, D·P), h_n and c_n; where they are to be kept, the gates, every c, and h before its projection.

    Args:
        layer: its sizes and rows.
        keep: whether a backward follows.
        x: (N, I), or (T, B, I).
        h0: (D, B, P).
        c0: (D, B, H).
        weights: KINDS of each direction.
    """
    rows = x.shape[:-1]
    made = [x.new_empty(*rows, layer.directions * h0.shape[2]), torch.empty_like(h0), torch.empty_like(c0)]
    kept: list[Tensor | None] = [None, None, None]
    if keep:
        kept[0] = x.new_empty(layer.directions, *rows, 4 * layer.hidden)
        kept[1] = x.new_empty(layer.directions, *rows, layer.hidden)
    if keep and layer.projected:
        kept[2] = x.new_empty(layer.directions, *rows, layer.hidden)
    layer.call("forward", x.dtype, [x, h0, c0, *of_directions(weights, layer.directions), *made, *kept])
    return [*made, *kept]  # type: ignore[list-item]


class Function(torch.autograd.Function):
    """A layer: x (…, I), h0 (D, B, P), c0 (D, B, H) and KINDS of each direction → output (…, D·P), h_n, c_n."""

    @staticmethod
    def forward(ctx: Any, layer: Layer, *given: Any) -> tuple[Tensor, ...]:  # type: ignore[override]
        """Keep what the backward needs."""
        output, h_n, c_n, *kept = forward(layer, True, *given)
        ctx.layer = layer
        ctx.save_for_backward(*given, output, *kept)
        ctx.set_materialize_grads(False)
        return output, h_n, c_n

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Return the gradients of everything; by PyTorch's own operators where more than numbers are wanted."""
        given, kept = ctx.saved_tensors[:-4], ctx.saved_tensors[-4:]
        needed = ctx.needs_input_grad[1:]
        batched = any(tensor is not None and not torch._C._has_storage(tensor) for tensor in cotangents)
        if torch.is_grad_enabled() or batched or forward_ad._current_level >= 0:
            return None, *again(ctx.layer, given, needed, cotangents)
        return None, *gradients(ctx.layer, given, kept, needed, cotangents)


def gradients(
    layer: Layer,
    given: Sequence[Tensor | None],
    kept: Sequence[Tensor | None],
    needed: Sequence[bool],
    cotangents: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """Return the gradients of x, h0, c0 and the weights, by lstm.h; None where they are not needed."""
    made = [
        torch.empty_like(tensor) if need and tensor is not None else None
        for tensor, need in zip(given, needed, strict=True)
    ]
    weights, d_weights = given[3:], made[3:]
    of_weights: list[Tensor | None] = []
    for at in range(0, len(weights), len(KINDS)):
        own = d_weights[at : at + len(KINDS)]
        if any(each is not None for each in own):  # lstm.h makes all of a direction's, or none
            own = [None if each is None else torch.empty_like(each) for each in weights[at : at + len(KINDS)]]
            own[3] = None
        d_weights[at : at + len(KINDS)] = own
        of_weights += [own[0], own[1], own[2], own[4]]
    dense = [None if tensor is None else ready(tensor) for tensor in cotangents]
    unused = [None] * (4 * (2 - layer.directions))
    used = of_directions(weights, layer.directions)
    arrays = [*dense, *given[:3], *kept, *used, *made[:3], *of_weights, *unused]
    layer.call("backward", given[0].dtype, arrays)  # type: ignore[union-attr]
    for at in range(0, len(weights), len(KINDS)):
        d_bias = d_weights[at + 2]
        d_weights[at + 3] = None if d_bias is None else d_bias.clone()  # both biases have the same gradient
    return [*made[:3], *d_weights]


def again(
    layer: Layer, given: Sequence[Any], needed: Sequence[bool], cotangents: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """Return the gradients by PyTorch's own LSTM: they can be differentiated again, and cotangents may be batched.

    Raises:
        RuntimeError: where there are resets, which PyTorch's LSTM has not.
    """
    if layer.resets is not None:
        raise RuntimeError("native_lstm: with resets there are no gradients of gradients, and none that are batched")
    used = [at for at, cotangent in enumerate(cotangents) if cotangent is not None]
    if not used:
        return [None] * len(given)
    keeps_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        own: list[Any] = []
        for tensor, need in zip(given, needed, strict=True):
            if tensor is None:
                own.append(None)
            elif keeps_graph:  # a node of its own, even where two are one tensor, or one depends on another
                own.append(tensor.view_as(tensor))
            else:
                own.append(tensor.detach().requires_grad_(need))
        x, h0, c0, *weights = own
        options = (weights[2] is not None, 1, 0.0, True, layer.directions == 2)
        there = [each for each in weights if each is not None]
        made = by_torch(x, layer.rows, layer.lengths, (h0, c0), there, *options)
    wanted = [each for each, need in zip(own, needed, strict=True) if need]
    outputs = [made[at] for at in used]
    of_outputs = [cotangents[at] for at in used]
    found = torch.autograd.grad(outputs, wanted, of_outputs, create_graph=keeps_graph, allow_unused=True)
    each_found = iter(found)
    return [next(each_found) if need else None for need in needed]


def by_torch(x: Tensor, rows: Tensor | None, lengths: Tensor | None, states: Any, *options: Any) -> Sequence[Tensor]:
    """Return output, h_n and c_n by PyTorch's own LSTM.

    Args:
        x: (T, B, I), or packed rows (N, I).
        rows: as of Layer.
        lengths: as of Layer.
        states: h0 and c0.
        options: torch._VF.lstm's other arguments, without batch_first.
    """
    by_operator: Any = _VF.lstm
    if rows is not None:
        return by_operator(x, rows, states, *options)  # type: ignore[no-any-return]
    if lengths is None:
        return by_operator(x, states, *options, False)  # type: ignore[no-any-return]
    packed = pack_padded_sequence(x, lengths.long(), enforce_sorted=False)
    assert packed.sorted_indices is not None
    assert packed.unsorted_indices is not None
    ordered = [state.index_select(1, packed.sorted_indices) for state in states]
    output, *last = by_operator(packed.data, packed.batch_sizes, ordered, *options)
    padded, _ = pad_packed_sequence(packed._replace(data=output), total_length=len(x))
    return padded, *[state.index_select(1, packed.unsorted_indices) for state in last]


def ready(tensor: Tensor) -> Tensor:
    """Return a tensor whose memory holds its numbers, one after the other."""
    if tensor.is_neg() or tensor._is_zerotensor():
        tensor = tensor.clone()
    return tensor.contiguous()


def run(layer: Layer, x: Tensor, h0: Tensor, c0: Tensor, weights: Sequence[Tensor | None]) -> Sequence[Tensor]:
    """Return output (…, D·P), h_n (D, B, P) and c_n (D, B, H) of a layer; arguments as those of `forward`."""
    given = [None if each is None else ready(each) for each in (x, h0, c0, *weights)]
    if torch.is_grad_enabled() and any(each is not None and each.requires_grad for each in given):
        return Function.apply(layer, *given)  # type: ignore[no-any-return, no-untyped-call]
    return forward(layer, False, *given)[:3]  # type: ignore[arg-type]
