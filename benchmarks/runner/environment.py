"""What a worker is given: processors, time and memory, and its environment variables."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT
from impls.core.precision import IEEE, OVERRIDE, framework_variables
from impls.core.registry import Implementation


@dataclass(frozen=True)
class Limits:
    """What an arm may use: processors, seconds for an answer, resident bytes."""

    cores: tuple[int, ...]
    call_seconds: float
    memory_bytes: int


def worker_variables(
    implementation: Implementation,
    device: str,
    threads: int,
    dtype: str,
    cache: Path,
    python: str = sys.executable,
    precision: str = IEEE,
) -> dict[str, str]:
    """Return a worker's environment variables: number of threads, precision, its own compile caches."""
    # an environment of its own must hold exactly what it was built for, whatever is on the user's path
    inherited = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") and python == sys.executable else []
    libraries = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")
    return {
        **{name: value for name, value in os.environ.items() if name != OVERRIDE},
        **implementation.environment,  # the suite's own variables below count more
        **{f"{library}_NUM_THREADS": str(threads) for library in libraries},
        "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
        # by default JAX caches only what takes over a second to compile
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
        "TRITON_CACHE_DIR": str(cache / "triton"),
        "CACHEDB": str(cache / "tinygrad.db"),  # by default one in the user's home, in which a first call is not cold
        # compile in this process: a pool of compile workers would go on running during the measurement
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "KERAS_HOME": str(cache / "keras"),  # otherwise Keras reads and writes a file in the user's home
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *inherited]),
        **framework_variables(device, dtype, precision),
    }
