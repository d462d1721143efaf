"""The C++ of impls/native and of this folder, for implementations."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

from impls.core.contract import NotInstalled
from impls.native import compiling

FOLDER = Path(__file__).resolve().parent


def library(source: Path, *options: str) -> ctypes.CDLL:
    """Return the functions of a source, compiled where that has not been done.

    Raises:
        NotInstalled: where there is no compiler, or not all that it needs.
    """
    try:
        return compiling.library(source, *options)
    except compiling.NoCompiler as error:
        raise NotInstalled(str(error)) from None


def seconds_before(source: Path, *options: str) -> Callable[[], float]:
    """Compile a source where that has not been done; return Prepared's compiled_before.

    Raises:
        NotInstalled: where there is no compiler, or not all that it needs.
    """
    library(source, *options)
    seconds = [compiling.seconds(source, *options)]
    return lambda: seconds.pop() if seconds else 0.0
