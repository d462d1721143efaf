"""One call of an LSTM: whether lstm.h computes it, and how."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import _VF, Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext

from . import autograd
from .fitting import check, misfit


@dataclass(frozen=True)
class Path:
    """Which code computes a call: native_lstm's own, or torch.nn.LSTM's; and why."""

    native: bool
    why: str

    def __str__(self) -> str:
        return f"{'native_lstm' if self.native else 'torch.nn.LSTM'}: {self.why}"


class Call:
    """A call of a module: what stands in place of torch._VF in torch.nn.LSTM.forward.

    Args:
        module: the torch.nn.LSTM.
        lengths: as checked_lengths returns them.
        resets: as of native_lstm.LSTM.
    """

    def __init__(self, module: nn.LSTM, lengths: Tensor | None, resets: Tensor | None) -> None:
        self.module = module
        self.lengths = lengths
        self.resets = resets

    def lstm(self, *given: Any) -> Sequence[Tensor]:
        """Return output, h_n and c_n. It has the two signatures of torch._VF.lstm: of a batch, and of packed rows.

        Raises:
            RuntimeError: for resets where lstm.h is not used.
        """
        arguments = parted(given)
        refused = self.refused(*arguments)
        if refused is None:
            return self.computed(*arguments)
        if self.resets is not None:
            raise RuntimeError(f"native_lstm: torch.nn.LSTM has no resets, and {refused}")
        if self.lengths is None:
            return _VF.lstm(*given)  # type: ignore[no-any-return]
        x, states, *options, batch_first = given
        x = x.transpose(0, 1) if batch_first else x
        output, *last = autograd.by_torch(x, None, self.lengths, states, *options)
        return (output.transpose(0, 1) if batch_first else output, *last)

    def refused(
        self, x: Tensor, rows: Tensor | None, states: Sequence[Tensor], weights: Sequence[Tensor]
    ) -> str | None:
        """Return why lstm.h is not used for a call, or None.

        Raises:
            RuntimeError: for tensors that fit no LSTM.
        """
        refused = in_use() or not_taken([x, *states, *weights])
        if refused:
            return refused
        check(self.module, x, rows, states)
        if x.numel() == 0:
            return "the batch is empty"
        return misfit(self.module, weights) or self.refused_resets(x, rows) or no_library(*kind_of(x))

    def refused_resets(self, x: Tensor, rows: Tensor | None) -> str | None:
        """Return what is wrong with resets, or None."""
        if self.resets is None:
            return None
        if rows is not None or self.lengths is not None or self.module.bidirectional:
            return "resets go with one direction, and with rows that are all of one length"
        wanted = f"resets must be a dense bool tensor on the CPU, of shape {tuple(x.shape[:2])}"
        if type(self.resets) is not Tensor or self.resets.layout != torch.strided:
            return wanted
        if self.resets.dtype != torch.bool or self.resets.device.type != "cpu" or self.resets.shape != x.shape[:2]:
            return wanted
        return None

    def computed(
        self, x: Tensor, rows: Tensor | None, states: Sequence[Tensor], weights: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return output, h_n and c_n by lstm.h, layer by layer."""
        module = self.module
        projected = module.proj_size
        directions = 2 if module.bidirectional else 1
        of_a_layer = directions * len(autograd.KINDS)
        resets = self.resets
        h0, c0 = states
        _, autocast = kind_of(x)
        if autocast:
            x, h0, c0 = x.float(), h0.float(), c0.float()
            weights = [weight.float() for weight in weights]
        if rows is None and module.batch_first:
            x = x.transpose(0, 1)
            resets = None if resets is None else resets.t()
        steps = len(x) if rows is None else len(rows)
        rows = None if rows is None else rows.contiguous()
        resets = None if resets is None else resets.contiguous()
        each = list(with_places(weights, module.bias, projected))
        last_h = []
        last_c = []
        for number in range(module.num_layers):
            h, c = h0, c0
            if module.num_layers > 1:
                own = slice(number * directions, (number + 1) * directions)
                h, c = h0[own], c0[own]
            sizes = (steps, h.shape[1], x.shape[-1], c.shape[2], projected, directions)
            layer = autograd.Layer(*sizes, rows, self.lengths, resets, autocast)
            x, h_n, c_n = autograd.run(layer, x, h, c, each[number * of_a_layer : (number + 1) * of_a_layer])
            last_h.append(h_n)
            last_c.append(c_n)
            if module.training and module.dropout and number + 1 < module.num_layers:
                # asks the generator as torch.nn.LSTM does, so that the mask is the same
                x = functional.dropout(x, module.dropout)
        output = x.transpose(0, 1) if rows is None and module.batch_first else x
        return output, joined(last_h), joined(last_c)


class Answer(Exception):
    """Carries a Path out of torch.nn.LSTM.forward."""

    def __init__(self, path: Path) -> None:
        self.path = path


class Asked(Call):
    """A call that is not made."""

    def lstm(self, *given: Any) -> Sequence[Tensor]:
        """Raise the answer."""
        x, *_ = arguments = parted(given)
        refused = self.refused(*arguments)
        kind = "autocast" if torch.is_autocast_enabled("cpu") else str(x.dtype).removeprefix("torch.")
        raise Answer(Path(refused is None, refused or f"{kind} on the CPU"))


def parted(given: Sequence[Any]) -> tuple[Tensor, Tensor | None, Sequence[Tensor], Sequence[Tensor]]:
    """Return x, batch_sizes or None, the states and the weights of torch._VF.lstm's arguments.

    All others are attributes of the module.
    """
    if isinstance(given[1], Tensor):
        x, rows, states, weights, *_ = given
        return x, rows, states, weights
    x, states, weights, *_ = given
    return x, None, states, weights


def with_places(weights: Sequence[Tensor], has_bias: bool, projected: int) -> Iterator[Tensor | None]:
    """Yield all autograd.KINDS of each direction of each layer: None for those that there are not."""
    left = iter(weights)
    for weight_ih in left:
        yield weight_ih
        yield next(left)
        yield next(left) if has_bias else None
        yield next(left) if has_bias else None
        yield next(left) if projected else None


def joined(states: list[Tensor]) -> Tensor:
    """Return the states of all layers as one tensor."""
    return states[0] if len(states) == 1 else torch.cat(states)


def in_use() -> str | None:
    """Return what PyTorch is doing that lstm.h can take no part in, or None."""
    if torch.jit.is_tracing() or torch.jit.is_scripting():  # type: ignore[attr-defined, no-untyped-call]
        return "torch.jit traces it"
    if torch.compiler.is_compiling():
        return "torch.compile or torch.export traces it"
    if torch._C._are_functorch_transforms_active():
        return "torch.func transforms it"
    modes = _get_current_function_mode_stack() if torch._C._len_torch_function_stack() else []
    if torch._C._len_torch_dispatch_stack() or not all(isinstance(mode, DeviceContext) for mode in modes):
        return "a mode of PyTorch looks at its operators"
    if forward_ad._current_level >= 0:
        return "forward-mode differentiation is on"
    return None


def not_taken(tensors: Sequence[Tensor]) -> str | None:
    """Return which kind of tensors lstm.h does not take, or None."""
    x = tensors[0]
    for tensor in tensors:
        if type(tensor) not in (Tensor, nn.Parameter):
            return f"it has a {type(tensor).__name__}"
        if tensor.device.type != "cpu":
            return f"it is on {tensor.device}"
        if tensor.layout != torch.strided or tensor._is_zerotensor():
            return "it has a tensor that is not dense"
        if tensor.numel() and not tensor.data_ptr():
            return "it has a tensor without memory"
    if torch.is_autocast_enabled("cpu"):
        allowed = {torch.float32, torch.float16, torch.bfloat16}
    else:
        allowed = {x.dtype} & set(autograd.STORED)
    for tensor in tensors:
        if tensor.dtype not in allowed:
            return f"it has tensors of {x.dtype} and {tensor.dtype}"
    return None


def kind_of(x: Tensor) -> tuple[torch.dtype, bool]:
    """Return the dtype of a call's arrays, and whether its products are of bfloat16 since autocast is on."""
    if torch.is_autocast_enabled("cpu"):
        return torch.float32, True
    return x.dtype, False


@functools.cache
def no_library(dtype: torch.dtype, autocast: bool) -> str | None:
    """Return why there is no compiled lstm.h, after a warning, or None."""
    try:
        autograd.function("forward", dtype, autocast)
    except (RuntimeError, OSError) as error:  # compiling.NoCompiler is one
        warnings.warn(f"native_lstm computes by torch.nn.LSTM: {error}", stacklevel=2)
        return str(error)
    return None
