"""C++ of this suite: compiled once for this machine, kept in the cache, loaded by ctypes.

The sources need a C++ compiler, and that for PyTorch also OpenMP. The recurrence needs nothing of a framework, so it
compiles in seconds, and with any version of a framework.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from impls.core.contract import NotInstalled
from impls.core.environments import cache
from impls.core.files import write_whole
from impls.core.text import one_line

FOLDER = Path(__file__).resolve().parent
FLAGS = ("-O3", "-march=native", "-std=c++17", "-fopenmp", "-fPIC", "-shared")


def compiler() -> str:
    """Return the path of the C++ compiler: $CXX, or g++.

    Raises:
        NotInstalled: where there is none.
    """
    name = os.environ.get("CXX") or "g++"
    path = shutil.which(name)
    if path is None:
        raise NotInstalled(f"there is no C++ compiler {name}: install g++, or set CXX")
    return path


def build(source: str, include: Sequence[str] = ()) -> Path:
    """Compile a source of this folder, where that has not been done, and return the library.

    Args:
        source: the name of the file.
        include: folders of headers.

    Raises:
        NotInstalled: where there is no compiler.
        RuntimeError: where it cannot compile the source; with its first error.
    """
    command = [compiler(), *FLAGS, *(f"-I{folder}" for folder in include)]
    version = subprocess.run([command[0], "--version"], capture_output=True, text=True, check=True).stdout
    texts = [path.read_text(encoding="utf-8") for path in [*sorted(FOLDER.glob("*.h")), FOLDER / source]]
    key = hashlib.sha256("\0".join([*command, version, _processor(), *texts]).encode()).hexdigest()[:16]
    path = cache() / "native" / f"{Path(source).stem}-{key}.so"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda unfinished: _run([*command, str(FOLDER / source), "-o", str(unfinished)]))
    return path


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        raise RuntimeError(one_line(f"{Path(command[0]).name} failed: {(errors or ['no message'])[0]}"))


def _processor() -> str:
    """Return what -march=native looks at: the processor's flags where Linux tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("flags")), platform.machine())


@functools.cache
def library(source: str) -> ctypes.CDLL:
    """Return the functions of a source, compiled and loaded at the first call of a process."""
    return ctypes.CDLL(str(build(source)))
