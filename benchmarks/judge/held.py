"""The numbers that a result holds before it is read: a reading that only converts makes no others."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from impls.core.weights import Array

ARRAYS = ("numpy", "torch", "jax", "jaxlib")
"""The packages whose arrays can be looked into without computing anything."""


@dataclass
class Held:
    """What a result holds.

    numbers: of its arrays, in float32.
    unseen: whether it has an object of another package, such as an array of TensorFlow.
    """

    numbers: list[Array] = field(default_factory=list)
    unseen: bool = False

    @classmethod
    def of(cls, result: Any) -> Held:
        """Look into a result: its containers, and the attributes of objects whose class no package has defined."""
        held = cls()
        waiting = [result]
        seen = set[int]()
        while waiting:
            value = waiting.pop()
            if id(value) in seen or isinstance(value, str | type):
                continue
            seen.add(id(value))
            if isinstance(value, int | float):
                held.numbers.append(np.array([value], np.float32))
            elif isinstance(value, dict):
                waiting += value.values()
            elif isinstance(value, list | tuple | set):
                waiting += value
            elif package_of(type(value)) in ARRAYS:
                try:
                    held.numbers += _numbers(value)
                except (TypeError, ValueError, RuntimeError):  # a key of JAX, a donated array
                    held.unseen = True
            elif package_of(type(value)):
                held.unseen = True
            else:
                held.numbers += _raw_numbers(value)
                waiting += getattr(value, "__dict__", {}).values()
                waiting += [getattr(value, name, None) for name in getattr(value, "__slots__", ())]
        return held

    def share_of(self, arrays: Iterable[Array]) -> float:
        """Return the share of the numbers of some arrays that are among these."""
        wanted = np.concatenate([np.ravel(array).astype(np.float32) for array in arrays])
        held = np.concatenate([np.zeros(0, np.float32), *self.numbers])
        return float(np.isin(wanted, held).mean())


def package_of(kind: type) -> str:
    """Return the installed package that has defined a class; nothing for one of Python's, or of a user's file."""
    module = sys.modules.get(kind.__module__)
    file = getattr(module, "__file__", None) or ""
    name = kind.__module__.partition(".")[0]
    installed = {"site-packages", "dist-packages"} & {*Path(file).parts}
    return name if installed or name in ARRAYS else ""


def _raw_numbers(value: Any) -> list[Array]:
    """Return the numbers in the memory of an object such as bytes or an array.array; none where it shows no memory."""
    try:
        memory = bytes(memoryview(value))
    except TypeError:
        return []
    with np.errstate(all="ignore"):
        whole = (
            kind for kind in (np.float32, np.float64) if len(memory) % np.dtype(kind).itemsize == 0
        )
        return [np.frombuffer(memory, kind).astype(np.float32) for kind in whole]


def _numbers(value: Any) -> list[Array]:
    """Return the numbers of an array that an implementation holds, of one of ARRAYS; none of what is no array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().float().numpy()
    if not hasattr(value, "dtype") or not hasattr(value, "shape"):
        return []
    with np.errstate(all="ignore"):
        return [np.ravel(np.asarray(value)).astype(np.float32)]
