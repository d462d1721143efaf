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
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from impls.core.contract import NotInstalled
from impls.core.environments import cache
from impls.core.files import write_text, write_whole
from impls.core.text import one_line

FOLDER = Path(__file__).resolve().parent
MISSING = re.compile(r"No such file|not found")
"""What g++ and clang++ say of a header that is not there."""
BUILT: set[str] = set()
"""The sources that this process has compiled, or has been told the seconds of."""
FLAGS = ("-O3", "-march=native", "-std=c++17", "-fopenmp", "-fPIC", "-shared")


def compiler() -> list[str]:
    """Return the command of the C++ compiler: $CXX, such as `clang++` or `ccache g++`, or g++.

    Raises:
        NotInstalled: where there is none.
    """
    try:
        name, *arguments = shlex.split(os.environ.get("CXX", "")) or ["g++"]
    except ValueError as error:
        raise NotInstalled(f"CXX is no command: {error}") from None
    path = shutil.which(name)
    if path is None:
        raise NotInstalled(f"there is no C++ compiler {name}: install g++, or set CXX")
    return [path, *arguments]


def build(source: str, include: Sequence[str] = ()) -> Path:
    """Compile a source of this folder, with folders of headers, where that has not been done; return the library.

    Beside the library is a file with the seconds that this took.

    Raises:
        NotInstalled: where there is no compiler, or no header that it needs.
        RuntimeError: where it cannot compile the source; with its first error.
    """
    called = compiler()
    command = [*called, *FLAGS, *(f"-I{folder}" for folder in include)]
    version = subprocess.run([*called, "--version"], capture_output=True, text=True, check=True).stdout
    texts = [path.read_text(encoding="utf-8") for path in [*sorted(FOLDER.glob("*.h")), FOLDER / source]]
    key = hashlib.sha256("\0".join([*command, version, _processor(), *texts]).encode()).hexdigest()[:16]
    path = cache() / "native" / f"{Path(source).stem}-{key}.so"
    seconds = path.with_suffix(".seconds")
    if not (path.exists() and seconds.exists()):
        path.parent.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        write_whole(path, lambda unfinished: _run([*command, str(FOLDER / source), "-o", str(unfinished)]))
        write_text(seconds, f"{time.perf_counter() - start}")
        BUILT.add(source)
    return path


def seconds_before(source: str, include: Sequence[str] = ()) -> float:
    """Return the seconds in which an earlier process has compiled a source.

    They are told once: a process that has been told, or has compiled the source itself, gets 0.
    """
    if source in BUILT:
        return 0.0
    path = build(source, include).with_suffix(".seconds")
    told = source not in BUILT
    BUILT.add(source)
    return float(path.read_text(encoding="utf-8")) if told else 0.0


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        missing = any("fatal error:" in line and MISSING.search(line) for line in errors)
        failed = NotInstalled if missing else RuntimeError
        raise failed(one_line(f"{Path(command[0]).name} failed: {(errors or ['no message'])[0]}"))


def _processor() -> str:
    """Return what -march=native looks at: the processor's flags where Linux tells them."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if line.startswith("flags")), platform.machine())


@functools.cache
def library(source: str) -> ctypes.CDLL:
    """Return the functions of a source, compiled and loaded at the first call of a process."""
    return ctypes.CDLL(str(build(source)))
