"""torch.nn.LSTM, computed by lstm.h where that can do it."""

from __future__ import annotations

import sys
import types
from typing import Any

import torch
from torch import Tensor, nn
from torch._compile import _disable_dynamo
from torch.nn.modules import rnn

from .call import Answer, Asked, Call, Path
from .fitting import checked_lengths

States = tuple[Tensor, Tensor]


class LSTM(nn.LSTM):
    """A torch.nn.LSTM, with its arguments, parameters, state_dict, calls and errors, that is faster on a CPU.

    A call also takes one of these:

    lengths: (B,) whole numbers from 1 to T. Output beyond a row's length is 0, and its states are those at it, as with
        a PackedSequence. The rows may be in any order.
    resets: bool, (T, B), or (B, T) where batch_first. Where it is true, a row's h and c are 0 before the step. It goes
        with one direction and rows of one length.

    Under autocast in bfloat16, output and states are float32.
    """

    def forward(  # type: ignore[override]
        self,
        input: Any,  # noqa: A002 - as torch.nn.LSTM calls it
        hx: States | None = None,
        *,
        lengths: Any = None,
        resets: Tensor | None = None,
    ) -> tuple[Any, States]:
        """Return output and (h_n, c_n), as torch.nn.LSTM does.

        Raises:
            ValueError, RuntimeError: where torch.nn.LSTM does, or where lengths or resets do not fit.
        """
        if "torch._dynamo" in sys.modules and not torch.compiler.is_exporting():
            return untraced(self, input, hx, lengths, resets)  # type: ignore[no-any-return]
        return self._call(input, hx, lengths, resets)

    def _call(self, x: Any, hx: States | None, lengths: Any, resets: Tensor | None) -> tuple[Any, States]:
        call = Call(self, checked_lengths(lengths, x, self.batch_first), resets)
        return checked_by_torch(call)(self, x, hx)  # type: ignore[no-any-return]

    def path(
        self,
        input: Any,  # noqa: A002
        hx: States | None = None,
        *,
        lengths: Any = None,
        resets: Tensor | None = None,
    ) -> Path:
        """Return which code would compute a call with these arguments, and why; nothing is computed.

        Raises:
            ValueError, RuntimeError: where the call itself would.
        """
        asked = Asked(self, checked_lengths(lengths, input, self.batch_first), resets)
        try:
            checked_by_torch(asked)(self, input, hx)
        except Answer as answer:
            return answer.path
        raise RuntimeError(f"native_lstm does not know torch {torch.__version__}: its LSTM calls something else")

    def __prepare_scriptable__(self) -> nn.LSTM:
        """Return what torch.jit.script takes in place of this module: a torch.nn.LSTM with the same parameters."""
        plain = nn.LSTM(
            self.input_size,
            self.hidden_size,
            self.num_layers,
            self.bias,
            self.batch_first,
            self.dropout,
            self.bidirectional,
            self.proj_size,
            device="meta",
        )
        for name, parameter in self.named_parameters():
            setattr(plain, name, parameter)
        return plain.train(self.training)


untraced = _disable_dynamo(LSTM._call)
"""A call that torch.compile leaves out of its graph, as it does torch.nn.LSTM by default."""


def checked_by_torch(call: Call) -> Any:
    """Return torch.nn.LSTM.forward, which checks and turns its arguments round, but calls `call.lstm` in the end."""
    own = nn.LSTM.forward
    return types.FunctionType(own.__code__, {**vars(rnn), "_VF": call}, own.__name__, own.__defaults__, own.__closure__)
