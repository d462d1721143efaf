"""Reading an .npz file of arrays that somebody gives: what its headers say is checked before any array is read."""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from impls.core.files import open_regular

CONVERT = "np.savez(FILE, **{k: v.numpy() for k, v in state.items()})"
"""How weights of PyTorch are written to a file that can be read here."""

MOST_HEADER_BYTES = 2**13
"""NumPy's own header of an array has about a hundred bytes. It reads any header whole before it looks at it."""

MOST_MEMBERS = 10_000
"""A thousand layers of both directions have 8,000 arrays. Each array costs a tenth of a millisecond or more."""


def most_bytes() -> int:
    """Return how much memory the arrays of a file may take, all together: a quarter of this machine's."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4


def frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only float64 copy."""
    copy = np.array(array, dtype=np.float64, order="C")
    copy.setflags(write=False)
    return copy


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return the shape and dtype that an .npy file says it has."""
    version = np.lib.format.read_magic(file)
    if version > (2, 0):  # which only a dtype with named fields needs
        raise ValueError(f"its version is {version}")
    length = file.read(2 if version == (1, 0) else 4)
    if int.from_bytes(length, "little") > MOST_HEADER_BYTES:
        raise ValueError("a header that is too long")
    file.seek(len(np.lib.format.MAGIC_PREFIX) + 2)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the members of an .npz file by the names of their arrays, once their headers are plausible."""
    members: dict[str, zipfile.ZipInfo] = {}
    total, most = 0, most_bytes()
    listed = archive.infolist()
    if len(listed) > MOST_MEMBERS:
        raise ValueError(f"{path} holds {len(listed):,} arrays; at most {MOST_MEMBERS:,} are read")
    if any(info.filename.endswith("data.pkl") for info in listed):
        raise ValueError(f"{path} is no .npz file of arrays: this is a file of torch.save; convert it with {CONVERT}")
    for info in listed:
        name = info.filename.removesuffix(".npy")
        if name in members:
            raise ValueError(f"{path} holds {name} twice")
        with archive.open(info) as file:
            if file.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
                raise ValueError(f"{path} is no .npz file of arrays: {name} is none; use {CONVERT}")
        with archive.open(info) as file:
            shape, dtype = _header(file)
        if dtype.kind not in "fiu":
            raise ValueError(f"{path}: {name} has dtype {dtype}; it must be real numbers")
        if any(size < 0 for size in shape):
            raise ValueError(f"{path}: {name} has shape {shape}")
        total += math.prod(shape) * max(dtype.itemsize, 8)  # it becomes float64
        if total > most:
            raise ValueError(
                f"{path}: its arrays take {total / 2**30:.1f} GiB or more; at most {most / 2**30:.1f} GiB, a quarter "
                "of this machine's memory, are read"
            )
        members[name] = info
    return members


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read every array of an .npz file as finite float64; a pickle is never loaded.

    What the headers say is checked before any array is read.

    Raises:
        ValueError: for anything but an .npz file of finite real numbers, each under a name of its own, that takes at
            most a quarter of the memory.
    """
    arrays: dict[str, np.ndarray] = {}
    with open_regular(path, most_bytes()) as raw:
        try:
            if not zipfile.is_zipfile(raw):
                raise ValueError("no zip archive")
            with zipfile.ZipFile(raw) as archive:
                for name, info in _members(path, archive).items():
                    with archive.open(info) as file, np.errstate(over="ignore"):
                        arrays[name] = frozen(np.lib.format.read_array(file, allow_pickle=False))
                        if file.read(1):
                            raise ValueError(f"{path}: {name} is longer than its header says")
        except Exception as error:  # zipfile, zlib and NumPy's parser of headers raise a dozen kinds
            if str(error).startswith(str(path)):
                raise
            raise ValueError(f"{path} is not a readable .npz file of plain arrays ({error})") from None
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{path}: {name} holds NaN or infinity; every value must be finite")
    return arrays
