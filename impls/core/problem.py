"""A problem: the sizes of an LSTM and of its input; and the number formats that it may have."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, NamedTuple

import numpy as np


class Format(NamedTuple):
    """A binary number format: its largest number, and its smallest normal one."""

    largest: float
    smallest: float


FORMATS = {
    "float32": Format(float(np.finfo(np.float32).max), 2.0**-126),
    "float64": Format(float(np.finfo(np.float64).max), 2.0**-1022),
    "bfloat16": Format(2.0**128 - 2.0**120, 2.0**-126),
    "float16": Format(65504.0, 2.0**-14),
}
REDUCED = ("autocast", "int8")
"""Dtypes that store float32 and compute in less: matrix products in bfloat16, or by quantized weights."""


def stored(dtype: str) -> str:
    """Return the format of the arrays of a dtype."""
    return "float32" if dtype in REDUCED else dtype


def rounded(array: np.ndarray, dtype: str) -> np.ndarray:
    """Return an array as float64, rounded to the numbers of a dtype's format.

    It is rounded to the nearest, from the middle to the even one, and to infinity beyond the largest.
    bfloat16, which NumPy does not have, is rounded to by way of float32.
    """
    dtype = stored(dtype)
    with np.errstate(over="ignore"):
        if dtype != "bfloat16":
            return array.astype(dtype).astype(np.float64)
        bits = array.astype(np.float32).view(np.uint32)
        is_odd = (bits >> 16) & 1
        nearest = (bits + 0x7FFF + is_odd) & 0xFFFF0000
        return nearest.view(np.float32).astype(np.float64)


DTYPES = (*FORMATS, *REDUCED)
MOST_LAYERS = 64
"""More than any LSTM in use has. Each layer costs time and memory, however small its matrices are."""
_ID = re.compile(
    r"t(?P<seq_len>\d+)-b(?P<batch>\d+)-i(?P<input_size>\d+)-h(?P<hidden_size>\d+)"
    r"(-l(?P<num_layers>\d+))?(?P<bidirectional>-bi)?(?P<bias>-nobias)?(-p(?P<proj_size>\d+))?"
    r"(?P<lengths>-var|-even)?(?P<batch_first>-first)?(?P<dropout>-drop)?(?P<resets>-resets)?"
    r"(?P<any_batch>-anybatch)?(?P<any_length>-anylength)?"
    rf"(-(?P<dtype>{'|'.join(DTYPES[1:])}))?"
)
VARIANTS = {
    "lengths": "all rows of a batch are as long as seq_len",
    "proj_size": "h is not projected",
    "batch_first": "x is time-major",
    "dropout": "nothing is dropped between layers",
    "resets": "a state never starts anew inside a sequence",
}
"""What an implementation can do only where its VARIANTS say so, with what is true of it otherwise."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """The sizes of an LSTM and of its input, in the words of torch.nn.LSTM.

    lengths: each row of the batch has a length of its own, up to seq_len: the output beyond it is zero, the final
        states are the states at it, and the reverse direction starts at it.
    even: with lengths, all of them are seq_len: what is packed has nothing to leave out.
    proj_size: where it is not 0, h is projected to so many numbers at each step.
    batch_first: an implementation is given x as (B, T, I), and returns output as (B, T, ·).
    dropout: in training, half of what a layer hands to the next is dropped.
    resets: each row's state starts anew, from zero, at a step inside the sequence.
    any_batch, any_length: what is prepared must do for another batch, or another number of steps, than it was prepared
        for: see `prepared_for`.

    Raises:
        ValueError: where a size is below 1, num_layers is above 64, the dtype is unknown, or two do not go together.
    """

    seq_len: int
    batch: int
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    bias: bool = True
    dtype: str = "float32"
    lengths: bool = False
    even: bool = False
    proj_size: int = 0
    batch_first: bool = False
    dropout: bool = False
    resets: bool = False
    any_batch: bool = False
    any_length: bool = False

    def __post_init__(self) -> None:
        for name in ("seq_len", "batch", "input_size", "hidden_size", "num_layers"):
            if not 1 <= getattr(self, name) < 2**63:
                raise ValueError(
                    f"{name} is {getattr(self, name)}; it must be at least 1, and less than 2^63"
                )
        if self.num_layers > MOST_LAYERS:
            raise ValueError(f"num_layers is {self.num_layers}; it must be at most {MOST_LAYERS}")
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype is {self.dtype!r}; it must be one of {', '.join(DTYPES)}")
        if not 0 <= self.proj_size < self.hidden_size:
            raise ValueError(
                f"proj_size is {self.proj_size}; it must be less than hidden_size, {self.hidden_size}"
            )
        if self.dropout and self.num_layers == 1:
            raise ValueError("dropout is between layers; add -l2 or more")
        if self.resets and (self.bidirectional or self.lengths):
            raise ValueError(
                "resets go with one direction, and with rows that are all as long as seq_len"
            )

    @property
    def directions(self) -> int:
        """1, or 2 where bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def state_size(self) -> int:
        """The width P of h, which is that of the output too: proj_size, or hidden_size where nothing is projected."""
        return self.proj_size or self.hidden_size

    @property
    def stored(self) -> str:
        """The dtype of the arrays: float32 for autocast and int8, which only compute in less."""
        return stored(self.dtype)

    @property
    def prepared_for(self) -> Problem:
        """The problem that an implementation prepares, and whose sizes its first call has: with one row or step more.

        It is this problem, but for any_batch and any_length.
        """
        return self.replace(
            batch=self.batch + self.any_batch, seq_len=self.seq_len + self.any_length
        )

    @property
    def variants(self) -> list[str]:
        """The names in VARIANTS of what it has."""
        return [name for name in VARIANTS if getattr(self, name)]

    @property
    def id(self) -> str:
        """The id, such as `t64-b16-i128-h128`, with a suffix for each field that is not at its default."""
        suffixes = {
            f"-l{self.num_layers}": self.num_layers != 1,
            "-bi": self.bidirectional,
            "-nobias": not self.bias,
            f"-p{self.proj_size}": self.proj_size,
            "-var": self.lengths and not self.even,
            "-even": self.lengths and self.even,
            "-first": self.batch_first,
            "-drop": self.dropout,
            "-resets": self.resets,
            "-anybatch": self.any_batch,
            "-anylength": self.any_length,
            f"-{self.dtype}": self.dtype != "float32",
        }
        sizes = f"t{self.seq_len}-b{self.batch}-i{self.input_size}-h{self.hidden_size}"
        return sizes + "".join(suffix for suffix, has in suffixes.items() if has)

    @classmethod
    def parse(cls, text: str) -> Problem:
        """Read an id back.

        Raises:
            ValueError: for anything that is not an id; the message shows an id.
        """
        match = _ID.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text!r} is not a problem id; an id looks like t64-b16-i128-h128,"
                " then -l2, -bi, -nobias, -p64, -var or -even, -first, -drop, -resets,"
                " -anybatch, -anylength, -float64 (-bfloat16, -float16, -autocast, -int8) where wanted, in this order"
            )
        fields: dict[str, Any] = {}
        for name, part in match.groupdict().items():
            if part is not None:
                fields[name] = int(part) if part.isdigit() else True
        fields["bias"] = match["bias"] is None
        fields["even"] = match["lengths"] == "-even"
        fields["dtype"] = match["dtype"] or "float32"
        return cls(**fields)

    def replace(self, **changes: object) -> Problem:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]
