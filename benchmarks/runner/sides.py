"""The sides of a session (one in a run, base and head in a regression), and the environment variables of a worker."""

import os
import site
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import ROOT
from benchmarks.cases import Benchmark
from benchmarks.options import Options
from benchmarks.worker.used_files import Origin
from impls.core import environments
from impls.core.installing import NotBuilt
from impls.core.precision import DROPPED, framework_variables
from impls.core.registry import Implementation
from impls.core.text import one_line
from impls.native import compiling

ArmKey = tuple[str, str]
"""The label of a side, and the name of an implementation."""
Key = tuple[str, str, str]
"""The label of a side, the name of an implementation, the id of a benchmark."""


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
    environment could not be built, and is None where it could. origin is where a file from elsewhere comes from.
    """

    implementation: Implementation
    root: Path = ROOT
    python: str = sys.executable
    failure: ArmFailed | None = None
    origin: Origin | None = None


def version_of(
    implementation: Implementation,
    root: Path = ROOT,
    origin: Origin | None = None,
    present: str = sys.executable,
) -> Version:
    """Return a Version that runs in the implementation's own environment, or in `present` where it needs none."""
    try:
        python = environments.python_for(implementation, present)
    except NotBuilt as error:
        failure = ArmFailed("not_installed", one_line(str(error), 300))
        return Version(implementation, root, failure=failure)
    return Version(implementation, root, python, origin=origin)


@dataclass(frozen=True)
class Side:
    """A label, and by name the implementations, and the reasons why others cannot be read.

    dtype: the only dtype that its arms compute in; None for all.
    """

    label: str
    versions: Mapping[str, Version]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    dtype: str | None = None

    def benchmarks_of(self, benchmarks: Iterable[Benchmark]) -> list[Benchmark]:
        """Return the benchmarks of a session that its arms compute: all of them, or those in its dtype."""
        return [each for each in benchmarks if self.dtype in (None, each.problem.dtype)]

    @property
    def names(self) -> list[str]:
        """The names of all implementations of this side, including those that cannot be read."""
        return [*self.versions, *self.unreadable]


def make_home(folder: Path) -> None:
    """Make the home of a worker in its folder: what frameworks build there is not another's, and goes with the folder.

    The suite's own C++ is compiled once for all: its cache knows sources by their content.
    """
    compiled = compiling.cache()
    link = folder / FOLDERS["XDG_CACHE_HOME"] / compiled.name
    link.parent.mkdir(parents=True, exist_ok=True)
    (folder / FOLDERS["TMPDIR"]).mkdir(exist_ok=True)
    if not link.is_symlink():
        # a user's home may be one that can't be written to: each worker then compiles for itself
        with suppress(OSError):
            compiled.mkdir(parents=True, exist_ok=True)
            link.symlink_to(compiled)


def shared_folders(folder: Path) -> tuple[str, ...]:
    """Return the folders that all workers of a run use: those of this suite's caches, and that of the run."""
    return str(environments.cache()), str(compiling.cache()), str(folder.parent.parent)


def worker_variables(
    version: Version, options: Options, threads: int, dtype: str, folder: Path
) -> dict[str, str]:
    """Return a worker's environment variables: number of threads, precision, its own home and compile caches.

    Whatever compiles as it is imported keeps what it has made by a name, mostly below the home: two sides of a
    comparison, or two files of a run, must not get each other's.
    """
    return {
        "PYTHONUSERBASE": site.getuserbase(),
        **{name: value for name, value in os.environ.items() if name not in DROPPED},
        **version.implementation.environment,
        **own_variables(options, threads, dtype, folder),  # which count more
        "PYTHONPATH": environments.import_path(version.python),
    }


FOLDERS = {
    "HOME": "home",
    "XDG_CACHE_HOME": "home/.cache",
    "TMPDIR": "tmp",
    "TORCH_EXTENSIONS_DIR": "extensions",
    "NUMBA_CACHE_DIR": "numba",
    "JAX_COMPILATION_CACHE_DIR": "jax",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "CACHEDB": "tinygrad.db",  # by default in the user's home, where a first call is not cold
    "KERAS_HOME": "keras",  # otherwise Keras reads and writes a file in the user's home
}
"""By variable, what each worker has for itself in its folder."""
LIBRARIES = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")
"""Libraries whose variable NAME_NUM_THREADS is the number of their threads."""


def own_variables(options: Options, threads: int, dtype: str, folder: Path) -> dict[str, str]:
    """Return the variables of a worker that the suite sets, whatever the user's are."""
    return {
        **{f"{library}_NUM_THREADS": str(threads) for library in LIBRARIES},
        **{variable: str(folder / name) for variable, name in FOLDERS.items()},
        # by default JAX caches only what takes over a second to compile
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        # as many compilers as a user's; for a GPU in this process, since a pool of workers would go on running
        "TORCHINDUCTOR_COMPILE_THREADS": str(threads) if options.device == "cpu" else "1",
        "TORCH_WARM_POOL": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        **framework_variables(options.device, dtype, options.precision),
    }
