"""The sides of a session (one in a run, base and head in a regression), and the environment variables of a worker."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import ROOT
from benchmarks.options import Options
from impls.core import environments
from impls.core.precision import DROPPED, framework_variables
from impls.core.registry import Implementation
from impls.core.text import one_line


class ArmFailed(Exception):
    """An arm could not do a request; status and reason are those of its row."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Version:
    """A side's version of an implementation.

    root has the impls/ from which it imports implementations and families; python runs it. failure says why its
    environment could not be built, and is None where it could. tree is the repository that its file is a snapshot of:
    nothing may be imported from there.
    """

    implementation: Implementation
    root: Path = ROOT
    python: str = sys.executable
    failure: ArmFailed | None = None
    tree: Path | None = None


def version_of(
    implementation: Implementation, root: Path = ROOT, tree: Path | None = None, present: str = sys.executable
) -> Version:
    """Return a Version that runs in the implementation's own environment, or in `present` where it needs none."""
    try:
        return Version(implementation, root, environments.python_for(implementation, present), tree=tree)
    except environments.NotBuilt as error:
        return Version(implementation, root, failure=ArmFailed("not_installed", one_line(str(error), 300)))


@dataclass(frozen=True)
class Side:
    """A label, and by name the implementations, and the reasons why others cannot be read.

    dtype: the only dtype that its arms compute in; None for all.
    """

    label: str
    versions: Mapping[str, Version]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    dtype: str | None = None

    @property
    def names(self) -> list[str]:
        """The names of all implementations, including those that cannot be read."""
        return [*self.versions, *self.unreadable]


def worker_variables(version: Version, options: Options, threads: int, dtype: str, cache: Path) -> dict[str, str]:
    """Return a worker's environment variables: number of threads, precision, its own compile caches."""
    libraries = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")
    return {
        **{name: value for name, value in os.environ.items() if name not in DROPPED},
        **version.implementation.environment,  # the suite's own variables below count more
        **{f"{library}_NUM_THREADS": str(threads) for library in libraries},
        "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
        # by default JAX caches only what takes over a second to compile
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
        "TRITON_CACHE_DIR": str(cache / "triton"),
        "CACHEDB": str(cache / "tinygrad.db"),  # by default one in the user's home, in which a first call is not cold
        # as many compilers as a user's; for a GPU in this process, since a pool of workers would go on running
        "TORCHINDUCTOR_COMPILE_THREADS": str(threads) if options.device == "cpu" else "1",
        "TORCH_WARM_POOL": "0",
        "KERAS_HOME": str(cache / "keras"),  # otherwise Keras reads and writes a file in the user's home
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": environments.import_path(version.python),
        **framework_variables(options.device, dtype, options.precision),
    }
