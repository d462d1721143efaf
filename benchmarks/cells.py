"""What `agree --out FILE.json` writes: every cell of a matrix, with where and with which versions it was compared."""

from pathlib import Path

import msgspec

from benchmarks import json_files
from benchmarks.bits import Bits
from benchmarks.metadata import Metadata


class Cell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether an implementation agrees with the reference on a problem.

    Attributes:
        column: the id of the problem without its dtype, or the name of an extreme.
        versions: of the implementation's own environment, as in a record.
        status, reason: as in a record: ok, or what went wrong and how.
        error: the largest error; None where it does not agree.
        kernel: the operator that computes the LSTM, in training where it can be trained; None where that is not known.
        modes: those that were compared.
        bits: of the first of AGREE_OPTIONS, whether the same input gives the same bits; None where that is not known.
    """

    implementation: str
    column: str
    dtype: str
    versions: str | None = None
    digest: str | None = None
    status: str = "ok"
    reason: str = ""
    error: float | None = None
    kernel: str | None = None
    modes: tuple[str, ...] = ()
    bits: Bits | None = None


class Agreement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A matrix, where it was made (see Metadata), and whose machine that is: empty for the project's own."""

    where: Metadata
    cells: tuple[Cell, ...]
    by: str = ""


def read(path: Path) -> Agreement:
    """Read what `agree` has written; ValueError says in one line what is wrong with it."""
    return json_files.read(path, Agreement)
