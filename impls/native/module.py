"""torch.nn.LSTM, computed by lstm.h where that can do it."""

from __future__ import annotations

import functools
import types
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import _VF, Tensor, nn
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


Input = Tensor | PackedSequence
States = tuple[Tensor, Tensor]


class LSTM(nn.LSTM):
    """A torch.nn.LSTM, with its arguments, parameters, state_dict, calls and errors, that is faster on a CPU.

    A call also takes one of these:

    lengths: (B,) whole numbers from 1 to T. Output beyond a row's length is 0, and its states are those at it, as with a
        PackedSequence. The rows may be in any order.
    resets: bool, (T, B), or (B, T) where batch_first. Where it is true, a row's h and c are 0 before the step. It goes
        with one direction and rows of one length.

    Under autocast in bfloat16, output and states are float32.
    """

    def forward(  # type: ignore[override]
        self, input: Input, hx: States | None = None, *, lengths: Any = None, resets: Tensor | None = None
    ) -> tuple[Any, States]:
        """Return output and (h_n, c_n), as torch.nn.LSTM does.

        Raises:
            ValueError, RuntimeError: where torch.nn.LSTM does, or where lengths or resets do not fit.
        """
        call = checked_by_torch(Call(self, resets))
        if lengths is None:
            return call(self, input, hx)  # type: ignore[no-any-return]
        packing = Packing(input, lengths, self.batch_first)
        output, states = call(self, packing.packed(input), hx)
        return packing.padded(output), states

    def path(
        self, input: Input, hx: States | None = None, *, lengths: Any = None, resets: Tensor | None = None
    ) -> Path:
        """Return which code would compute a call with these arguments, and why; nothing is computed.

        Raises:
            ValueError, RuntimeError: where the call itself would.
        """
        if lengths is not None:
            input = Packing(input, lengths, self.batch_first).packed(input)
        try:
            checked_by_torch(Asked(self, resets))(self, input, hx)
        except Answer as answer:
            return answer.path
        raise RuntimeError(f"native_lstm does not know torch {torch.__version__}: its LSTM calls something else")

    def __prepare_scriptable__(self) -> nn.LSTM:
        """Return what torch.jit.script takes in place of this module: a torch.nn.LSTM with the same parameters."""
        bias, batch_first = self.bias, self.batch_first
        sizes = (
            self.input_size,
            self.hidden_size,
            self.num_layers,
            bias,
            batch_first,
            self.dropout,
            self.bidirectional,
        )
        plain = nn.LSTM(*sizes, proj_size=self.proj_size, device="meta")
        for name, parameter in self.named_parameters():
            setattr(plain, name, parameter)
        return plain.train(self.training)


class Packing:
    """Where the rows of a padded batch are in a PackedSequence."""

    def __init__(self, x: Input, lengths: Any, batch_first: bool) -> None:
        """`x` is (T, B, I), or (B, T, I) where batch_first; `lengths` is a tensor or a list.

        Raises:
            ValueError: where they do not fit together.
        """
        if not isinstance(x, Tensor) or x.dim() != 3:
            raise ValueError("lengths go with a batch of sequences, such as (T, B, I)")
        steps, batch = (x.shape[1], x.shape[0]) if batch_first else x.shape[:2]
        lengths = torch.as_tensor(lengths, device="cpu")
        if lengths.shape != (batch,) or lengths.is_floating_point() or lengths.dtype == torch.bool:
            raise ValueError(f"lengths must be {batch} whole numbers, one for each row")
        self.order = lengths.argsort(descending=True, stable=True)
        within = torch.arange(steps)[:, None] < lengths[self.order]
        self.rows = within.sum(1)
        if batch == 0 or int(lengths.min()) < 1 or int(lengths.max()) > steps:
            raise ValueError(f"lengths must be from 1 to the number of steps, {steps}")
        self.rows = self.rows[: int(lengths.max())]
        step, row = within.nonzero(as_tuple=True)
        each = self.order[row]
        self.source = (each * steps + step if batch_first else step * batch + each).to(x.device)
        self.shape = x.shape[:2]

    def packed(self, x: Tensor) -> PackedSequence:
        """Return x as a PackedSequence."""
        data = x.flatten(0, 1).index_select(0, self.source)
        order = self.order.to(x.device)
        return PackedSequence(data, self.rows, order, order.argsort())

    def padded(self, output: PackedSequence) -> Tensor:
        """Return an output as a tensor, which is 0 beyond the lengths."""
        zeros = output.data.new_zeros(self.shape.numel(), output.data.shape[1])
        return zeros.index_copy_(0, self.source, output.data).unflatten(0, self.shape)


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

    def refused(
        self, x: Tensor, rows: Tensor | None, states: Sequence[Tensor], weights: Sequence[Tensor]
    ) -> str | None:
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
        projected = self.module.proj_size
        h0, c0 = states
        resets = self.resets
        if torch.is_autocast_enabled("cpu"):
            x, h0, c0 = x.float(), h0.float(), c0.float()
            weights = [weight.float() for weight in weights]
        if batch_first:
            x = x.transpose(0, 1)
            resets = None if resets is None else resets.t()
        steps = len(x) if rows is None else len(rows)
        rows = None if rows is None else rows.contiguous()
        resets = None if resets is None else resets.contiguous()
        last_h = []
        last_c = []
        each = list(with_places(weights, has_bias, projected))
        of_a_layer = directions * len(autograd.KINDS)
        for number in range(num_layers):
            h, c = h0, c0
            if num_layers > 1:
                own = slice(number * directions, (number + 1) * directions)
                h, c = h0[own], c0[own]
            layer = autograd.Layer(steps, h.shape[1], x.shape[-1], c.shape[2], projected, directions, rows, resets)
            x, h_n, c_n = autograd.run(layer, x, h, c, each[number * of_a_layer : (number + 1) * of_a_layer])
            last_h.append(h_n)
            last_c.append(c_n)
            if training and dropout and number + 1 < num_layers:
                x = functional.dropout(x, dropout)  # asks the generator as torch.nn.LSTM does: the mask is the same
        output = x.transpose(0, 1) if batch_first else x
        return output, joined(last_h), joined(last_c)


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
