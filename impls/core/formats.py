"""The number formats of problems: how they round, and their largest and smallest numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Format(NamedTuple):
    """A binary format: the digits of its significand, its largest number, and its smallest normal one."""

    digits: int
    largest: float
    smallest: float

    @property
    def unit(self) -> float:
        """The largest relative error of rounding: half the distance from 1 to the next larger number."""
        return 2.0**-self.digits


FORMATS = {
    "float32": Format(24, float(np.finfo(np.float32).max), 2.0**-126),
    "float64": Format(53, float(np.finfo(np.float64).max), 2.0**-1022),
    "bfloat16": Format(8, 2.0**128 - 2.0**120, 2.0**-126),
    "float16": Format(11, 65504.0, 2.0**-14),
}
REDUCED = ("autocast", "int8")
"""Dtypes that store float32 and compute in less: matrix products in bfloat16, or by quantized weights."""


def stored(dtype: str) -> str:
    """Return the format of the arrays of a dtype."""
    return "float32" if dtype in REDUCED else dtype


def rounded(array: np.ndarray, dtype: str) -> np.ndarray:
    """Return an array as float64 whose numbers are those of a dtype's format.

    It is rounded to the nearest, from the middle to the even one, and to infinity beyond the largest.
    bfloat16, which NumPy does not have, is rounded to by way of float32.
    """
    dtype = stored(dtype)
    with np.errstate(over="ignore"):
        if dtype != "bfloat16":
            return array.astype(dtype).astype(np.float64)
        bits = array.astype(np.float32).view(np.uint32)
        nearest = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
        return nearest.view(np.float32).astype(np.float64)
