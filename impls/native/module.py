"""torch.nn.LSTM, computed by lstm.h where that can do it."""

from __future__ import annotations

import functools
import types
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, _VF, nn
from torch.autograd import forward_ad
from torch.nn import functional
from torch.nn.modules import rnn
from torch.nn.utils.rnn import PackedSequence

from . import autograd, compiling


@dataclass(frozen=True)
class Path:
    """Which code computes a call: native_lstm's own, or torch.nn.LSTM's; and why."""

    native: bool
    why: str

    def __str__(self) -> str:
        return f"{'native_lstm' if self.native else 'torch.nn.LSTM'}: {self.why}"


class LSTM(nn.LSTM):
    """A torch.nn.LSTM, with its arguments, parameters, state_dict, calls and errors, that is faster on a CPU.

    A call also takes `resets`, a bool tensor (T, B), or (B, T) where batch_first: where it is true, a row's h and c are 0
    before the step. It goes with one direction and rows of one length.

    Under autocast in bfloat16, output and states are float32.
    """

    def forward(  # type: ignore[override]
        self, input: Tensor | PackedSequence, hx: tuple[Tensor, Tensor] | None = None, resets: Tensor | None = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        """Return output and (h_n, c_n), as torch.nn.LSTM does.

        Raises:
            ValueError, RuntimeError: where torch.nn.LSTM does.
        """
        return checked_by_torch(Call(self, resets))(self, input, hx)  # type: ignore[no-any-return]

    def path(
        self, input: Tensor | PackedSequence, hx: tuple[Tensor, Tensor] | None = None, resets: Tensor | None = None
    ) -> Path:
        """Return which code would compute a call with these arguments, and why; nothing is computed.

        Raises:
            ValueError, RuntimeError: where the call itself would.
        """
        try:
            checked_by_torch(Asked(self, resets))(self, input, hx)
        except Answer as answer:
            return answer.path
        raise RuntimeError(f"native_lstm does not know torch {torch.__version__}: its LSTM calls something else")

    def __prepare_scriptable__(self) -> nn.LSTM:
        """Return what torch.jit.script takes in place of this module: a torch.nn.LSTM with the same parameters."""
        bias, batch_first = self.bias, self.batch_first
        sizes = (self.input_size, self.hidden_size, self.num_layers, bias, batch_first, self.dropout, self.bidirectional)
        plain = nn.LSTM(*sizes, proj_size=self.proj_size, device="meta")
        for name, parameter in self.named_parameters():
            setattr(plain, name, parameter)
        return plain.train(self.training)


def checked_by_torch(call: Call) -> Any:
    """Return torch.nn.LSTM.forward, which checks and turns its arguments round, but calls `call.lstm` in the end."""
    own = nn.LSTM.forward
    return types.FunctionType(own.__code__, {**vars(rnn), "_VF": call}, own.__name__, own.__defaults__, own.__closure__)


class Call:
    """A call of a module: what stands in place of torch._VF in torch.nn.LSTM.forward."""

    def __init__(self, module: LSTM, resets: Tensor | None) -> None:
        self.module = module
        self.resets = resets

    def lstm(self, *given: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Return output, h_n and c_n, as torch._VF.lstm does, which has two signatures: for a batch and for packed rows.

        Raises:
            RuntimeError: for resets where lstm.h is not used.
        """
        rows, x, states, weights, rest = parted(given)
        refused = self.refused(x, rows, states, weights)
        if refused is None:
            return self.computed(x, rows, states, weights, *rest)
        if self.resets is not None:
            raise RuntimeError(f"native_lstm: torch.nn.LSTM has no resets, and {refused}")
        return _VF.lstm(*given)  # type: ignore[no-any-return]

    def refused(self, x: Tensor, rows: Tensor | None, states: Sequence[Tensor], weights: Sequence[Tensor]) -> str | None:
        """Return why lstm.h is not used for a call, or None."""
        return (
            in_use()
            or not_taken([x, *states, *weights, *([] if rows is None else [rows])])
            or ("the batch is empty" if 0 in x.shape else None)
            or self.refused_resets(x, rows)
            or no_library(computed_in(x))
        )

    def refused_resets(self, x: Tensor, rows: Tensor | None) -> str | None:
        """Return what is wrong with resets, or None."""
        if self.resets is None:
            return None
        if rows is not None or self.module.bidirectional:
            return "resets go with one direction, and with rows that are all of one length"
        if self.resets.dtype != torch.bool or self.resets.device.type != "cpu" or self.resets.shape != x.shape[:2]:
            return f"resets must be a bool tensor on the CPU, of shape {tuple(x.shape[:2])}"
        return None

    def computed(
        self,
        x: Tensor,
        rows: Tensor | None,
        states: Sequence[Tensor],
        weights: Sequence[Tensor],
        has_bias: bool,
        num_layers: int,
        dropout: float,
        training: bool,
        bidirectional: bool,
        batch_first: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return output, h_n and c_n by lstm.h, layer by layer."""
        directions = 2 if bidirectional else 1
        dtype = computed_in(x)
        h0, c0 = (state.to(dtype) for state in states)
        resets = self.resets
        if batch_first:
            x = x.transpose(0, 1)
            resets = None if resets is None else resets.t()
        steps = len(x) if rows is None else len(rows)
        # (N, I): a full batch too has its rows one after the other
        packed = x.to(dtype).contiguous().flatten(0, 1) if rows is None else x.to(dtype)
        each = [None if weight is None else weight.to(dtype) for weight in padded(weights, has_bias, self.module.proj_size)]
        of_a_layer = directions * len(autograd.KINDS)
        last_h, last_c = [], []
        for number in range(num_layers):
            own = slice(number * directions, (number + 1) * directions)
            layer = autograd.Layer(
                steps,
                h0.shape[1],
                packed.shape[1],
                c0.shape[2],
                self.module.proj_size,
                directions,
                None if rows is None else rows.contiguous(),
                None if resets is None else resets.contiguous(),
            )
            own_weights = each[number * of_a_layer : (number + 1) * of_a_layer]
            packed, h_n, c_n = autograd.run(layer, packed, h0[own], c0[own], own_weights)
            last_h.append(h_n)
            last_c.append(c_n)
            if number + 1 < num_layers:
                packed = self.dropped(packed, steps, rows, dropout, training)
        output = packed if rows is not None else packed.unflatten(0, (steps, -1))
        if batch_first:
            output = output.transpose(0, 1)
        return output, joined(last_h), joined(last_c)

    def dropped(self, packed: Tensor, steps: int, rows: Tensor | None, dropout: float, training: bool) -> Tensor:
        """Return what the next layer gets. The generator is asked as torch.nn.LSTM asks it: the mask is the same."""
        if not (training and dropout):
            return packed
        return functional.dropout(packed, dropout)


class Asked(Call):
    """A call that is not made."""

    def lstm(self, *given: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Raise the answer."""
        rows, x, states, weights, _ = parted(given)
        refused = self.refused(x, rows, states, weights)
        kind = str(computed_in(x)).removeprefix("torch.")
        raise Answer(Path(refused is None, refused or f"{kind} on the CPU"))


class Answer(Exception):
    """Carries a Path out of torch.nn.LSTM.forward."""

    def __init__(self, path: Path) -> None:
        self.path = path


def parted(given: Sequence[Any]) -> tuple[Tensor | None, Tensor, Sequence[Tensor], Sequence[Tensor], Sequence[Any]]:
    """Return batch_sizes or None, x, the states, the weights and the rest of torch._VF.lstm's arguments."""
    x, *rest = given
    rows = rest.pop(0) if isinstance(rest[0], Tensor) else None
    states, weights, *options = rest
    return rows, x, states, weights, options


def padded(weights: Sequence[Tensor], has_bias: bool, projected: int) -> Iterator[Tensor | None]:
    """Yield all autograd.KINDS of each direction of each layer: None for those that there are not."""
    left = iter(weights)
    for weight_ih in left:
        yield from (weight_ih, next(left))
        yield from (next(left), next(left)) if has_bias else (None, None)
        yield next(left) if projected else None


def joined(states: list[Tensor]) -> Tensor:
    """Return the states of all layers as one tensor."""
    return states[0] if len(states) == 1 else torch.cat(states)


def computed_in(x: Tensor) -> torch.dtype:
    """Return the dtype of a call's arrays: under autocast, float32."""
    return torch.float32 if x.device.type == "cpu" and torch.is_autocast_enabled("cpu") else x.dtype


def in_use() -> str | None:
    """Return what PyTorch is doing that lstm.h can take no part in, or None."""
    if torch.jit.is_tracing() or torch.jit.is_scripting():
        return "torch.jit traces it"
    if torch.compiler.is_compiling():
        return "torch.compile or torch.export traces it"
    if torch._C._are_functorch_transforms_active():
        return "torch.func transforms it"
    if torch._C._len_torch_dispatch_stack() or torch._C._len_torch_function_stack():
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
        if tensor.layout != torch.strided:
            return f"it has a tensor that is {tensor.layout}"
    floating = [tensor.dtype for tensor in tensors if tensor.dtype.is_floating_point or tensor.dtype.is_complex]
    allowed = autograd.STORED if torch.is_autocast_enabled("cpu") else {x.dtype}
    for dtype in (x.dtype, *floating):
        if dtype not in autograd.STORED or dtype not in allowed:
            return f"it has tensors of {dtype}" if dtype == x.dtype else f"it has tensors of {x.dtype} and {dtype}"
    return None


@functools.cache
def no_library(dtype: torch.dtype) -> str | None:
    """Return why there is no compiled lstm.h, after a warning, or None."""
    try:
        autograd.function("forward", dtype)
    except (compiling.NoCompiler, RuntimeError, OSError) as error:
        warnings.warn(f"native_lstm computes by torch.nn.LSTM: {error}", stacklevel=2)
        return str(error)
    return None
