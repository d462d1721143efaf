"""Reading an .npz file of arrays that somebody gives."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from impls.core.files import check_regular

CONVERT = "np.savez(FILE, **{k: v.numpy() for k, v in state.items()})"
"""How weights of PyTorch are written to a file that can be read here."""


def most_bytes() -> int:
    """Return how large a file of arrays may be: a quarter of this machine's."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4


def frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only float64 copy."""
    copy = np.array(array, dtype=np.float64, order="C")
    copy.setflags(write=False)
    return copy


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read every array of an .npz file as finite float64; a pickle is never loaded.

    Raises:
        ValueError: for anything but an .npz file of finite real numbers; the file may have a quarter of the memory.
    """
    check_regular(path, most_bytes())
    arrays: dict[str, np.ndarray] = {}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if any(name.endswith("data.pkl") for name in archive.files):
                raise ValueError(f"{path} is no .npz file of arrays: it is a file of torch.save; convert it: {CONVERT}")
            for name in archive.files:
                array = archive[name]
                if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
                    raise ValueError(f"{path}: {name} holds no real numbers; use {CONVERT}")
                with np.errstate(over="ignore"):
                    arrays[name] = frozen(array)
    except Exception as error:  # zipfile, zlib and NumPy's parser of headers raise a dozen kinds
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path} is not a readable .npz file of plain arrays ({error})") from None
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{path}: {name} holds NaN or infinity; every value must be finite")
    return arrays
