"""A problem: the sizes of an LSTM and of its input."""

from __future__ import annotations

import dataclasses
import re

from impls.core.formats import FORMATS

DTYPES = tuple(FORMATS)
MOST_LAYERS = 64
"""More than any LSTM in use has. Each layer costs time and memory, however small its matrices are."""
_ID = re.compile(
    r"t(?P<seq_len>\d+)-b(?P<batch>\d+)-i(?P<input_size>\d+)-h(?P<hidden_size>\d+)"
    r"(-l(?P<num_layers>\d+))?(?P<bidirectional>-bi)?(?P<nobias>-nobias)?(?P<lengths>-var)?(-(?P<dtype>float64|bfloat16|float16))?"
)


@dataclasses.dataclass(frozen=True)
class Problem:
    """The sizes of an LSTM and of its input, in the words of torch.nn.LSTM.

    With `lengths`, each row of the batch has a length of its own, up to seq_len: the output beyond it is zero, the
    final states are those at it, and the reverse direction starts at it.

    Raises:
        ValueError: where a size is below 1, num_layers is above 64 or the dtype is unknown.
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

    def __post_init__(self) -> None:
        for name in ("seq_len", "batch", "input_size", "hidden_size", "num_layers"):
            if not 1 <= getattr(self, name) < 2**63:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1, and less than 2^63")
        if self.num_layers > MOST_LAYERS:
            raise ValueError(f"num_layers is {self.num_layers}; it must be at most {MOST_LAYERS}")
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype is {self.dtype!r}; it must be one of {', '.join(DTYPES)}")

    @property
    def directions(self) -> int:
        """1, or 2 where bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def id(self) -> str:
        """The id, such as `t64-b16-i128-h128`, with a suffix for each field that is not at its default."""
        text = f"t{self.seq_len}-b{self.batch}-i{self.input_size}-h{self.hidden_size}"
        text += f"-l{self.num_layers}" if self.num_layers != 1 else ""
        text += "-bi" if self.bidirectional else ""
        text += "" if self.bias else "-nobias"
        text += "-var" if self.lengths else ""
        return text + ("" if self.dtype == "float32" else f"-{self.dtype}")

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
                " then -l2, -bi, -nobias, -var, -float64 (-bfloat16, -float16) where wanted"
            )
        return cls(
            seq_len=int(match["seq_len"]),
            batch=int(match["batch"]),
            input_size=int(match["input_size"]),
            hidden_size=int(match["hidden_size"]),
            num_layers=int(match["num_layers"] or 1),
            bidirectional=match["bidirectional"] is not None,
            bias=match["nobias"] is None,
            lengths=match["lengths"] is not None,
            dtype=match["dtype"] or "float32",
        )

    def replace(self, **changes: object) -> Problem:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]
