"""The C++ of this folder: compiled once for this machine, kept in a cache, loaded by ctypes.

The sources need a C++ compiler, and those for PyTorch also OpenMP. The recurrence needs nothing of a framework, so it
compiles in seconds, and with any version of a framework.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
FLAGS = ("-O3", "-march=native", "-std=c++17", "-fopenmp", "-fPIC", "-shared")
MISSING = re.compile(r"No such file|not found")
"""What g++ and clang++ say of a header that is not there."""


class NoCompiler(RuntimeError):
    """There is no C++ compiler, or not all that it needs; the message says what."""


def cache() -> Path:
    """Return the folder of compiled libraries: native-lstm in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "native-lstm"


def compiler() -> list[str]:
    """Return the command of the C++ compiler: $CXX, such as `clang++` or `ccache g++`, or g++.

    Raises:
        NoCompiler: where there is none.
    """
    try:
        name, *arguments = shlex.split(os.environ.get("CXX", "")) or ["g++"]
    except ValueError as error:
        raise NoCompiler(f"CXX is no command: {error}") from None
    path = shutil.which(name)
    if path is None:
        raise NoCompiler(f"there is no C++ compiler {name}: install g++, or set CXX")
    return [path, *arguments]


def build(source: Path, *options: str) -> Path:
    """Compile a source with options of the compiler, where that has not been done; return the library.

    Beside the library is a file with the seconds that this took.

    Raises:
        NoCompiler: where there is no compiler, or no header that it needs.
        RuntimeError: where it cannot compile the source; with its first error.
    """
    called = compiler()
    command = [*called, *FLAGS, *options, f"-I{FOLDER}"]
    version = subprocess.run([*called, "--version"], capture_output=True, text=True, check=False).stdout
    texts = [path.read_text(encoding="utf-8") for path in [*sorted(FOLDER.glob("*.h")), source]]
    key = hashlib.sha256("\0".join([*command, version, _processor(), *texts]).encode()).hexdigest()[:16]
    path = cache() / f"{source.stem}-{key}.so"
    seconds = path.with_suffix(".seconds")
    if not (path.exists() and seconds.exists()):
        start = time.perf_counter()
        path.parent.mkdir(parents=True, exist_ok=True)
        # Under a name of its own until it is whole: other processes may compile the same.
        with tempfile.TemporaryDirectory(dir=path.parent) as unfinished:
            library = Path(unfinished, "library.so")
            _run([*command, str(source), "-o", str(library)])
            library.replace(path)
            note = Path(unfinished, "seconds")
            note.write_text(f"{time.perf_counter() - start}", encoding="utf-8")
            note.replace(seconds)
    return path


def seconds(source: Path, *options: str) -> float:
    """Return how long it took to compile a source, now or when that was done."""
    return float(build(source, *options).with_suffix(".seconds").read_text(encoding="utf-8"))


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        missing = any("fatal error:" in line and MISSING.search(line) for line in errors)
        failed = NoCompiler if missing else RuntimeError
        raise failed(f"{Path(command[0]).name} failed: {' '.join((errors or ['no message'])[0].split())}")


def _processor() -> str:
    """Return what -march=native looks at: the processor's flags where Linux tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line for line in lines if line.startswith("flags")), platform.machine())


@functools.cache
def library(source: Path, *options: str) -> ctypes.CDLL:
    """Return the functions of a source, compiled and loaded at the first call of a process."""
    return ctypes.CDLL(str(build(source, *options)))
