"""torch.nn.LSTM in a module under torch.jit.script, for inference and for training."""

import warnings

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from impls.api import Problem
from impls.families.torch import FlatLSTM, of_module

FRAMEWORK = "torch"
TRACK = "exported"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64", "bfloat16", "float16", "autocast", "int8")
WORKLOADS = ("sequence",)
VARIANTS = ("lengths", "proj_size", "batch_first", "dropout")


class Full(nn.Module):
    """What a user scripts where all rows are full."""

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        self.lstm = lstm

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output, (h_n, c_n) = self.lstm(x, (h0, c0))
        return output, h_n, c_n


class Packed(nn.Module):
    """What a user scripts where rows have lengths."""

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        self.lstm = lstm

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        short, (h_n, c_n) = self.lstm(packed, (h0, c0))
        return pad_packed_sequence(short, total_length=x.size(0))[0], h_n, c_n


class ScriptedLSTM(FlatLSTM):
    """A scripted module of an nn.LSTM that has these parameters, one for training and one for inference."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.scripted: dict[bool, nn.Module] = {}
        self.is_quantized = False

    def forward(self, *given: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        if self.training not in self.scripted:
            self.scripted[self.training] = self.script(packed=len(given) > 3)
        result: tuple[Tensor, Tensor, Tensor] = self.scripted[self.training](*given)
        return result

    def script(self, packed: bool) -> nn.Module:
        """Return the scripted module, in the present mode."""
        lstm = nn.LSTM(
            self.input_size,
            self.hidden_size,
            self.num_layers,
            self.bias,
            self.batch_first,
            self.dropout,
            self.bidirectional,
            self.proj_size,
        )
        for name, parameter in self.named_parameters():
            setattr(lstm, name, parameter)
        module: nn.Module = Packed(lstm) if packed else Full(lstm)
        if self.is_quantized:
            module = torch.ao.quantization.quantize_dynamic(module, {nn.LSTM}, torch.qint8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that torch.jit is deprecated
            scripted: nn.Module = torch.jit.script(module.train(self.training))
        return scripted

    def quantize(self) -> None:
        self.is_quantized = True


prepare = of_module(ScriptedLSTM)
