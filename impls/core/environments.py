"""Python environments: each is built once, whole or not at all, and kept under the hash of its requirements.

An implementation with REQUIRES runs in its own environment, with the present Python where that will do. A regression
builds an environment for each side whose requirements differ. Here are the versions of what the present environment
holds, too.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import platform
import re
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TextIO

import msgspec

from impls.core import command_line
from impls.core.installing import NotBuilt, install
from impls.core.registry import Implementation

ROOT = Path(__file__).resolve().parents[2]
WORKER_NEEDS = ("msgspec>=0.19", "numpy>=2.0", "threadpoolctl>=3.5")
"""What a worker imports besides the implementation."""
DISTRIBUTIONS = {"torch": ("torch",), "jax": ("jax", "jaxlib"), "flax": ("flax", "jax", "jaxlib")}
"""The distributions behind a FRAMEWORK or a requirement. Any other name is that of a distribution."""


class Environment(msgspec.Struct, frozen=True):
    """An environment in the cache, as its file `finished` has it: the folder's name, and what is in it for what."""

    purpose: str
    requirements: tuple[str, ...]
    id: str = ""


def cache() -> Path:
    """Return the folder of environments and snapshots: lstm-bench in the user's cache folder.

    Raises:
        FileNotFoundError: where the user has none, as a container's may.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lstm-bench"
    except RuntimeError:
        raise FileNotFoundError(
            errno.ENOENT, "there is no home folder; set HOME or XDG_CACHE_HOME"
        ) from None


def python_for(implementation: Implementation, present: str = sys.executable) -> str:
    """Return the Python that runs an implementation: `present`, or that of its own environment, built where missing.

    Raises:
        NotBuilt: where its environment cannot be built.
    """
    if not implementation.requires:
        return present
    try:
        return build((*WORKER_NEEDS, *implementation.requires), purpose=implementation.name)
    except NotBuilt as error:
        raise NotBuilt(
            f"{error}; it needs: pip install {shlex.join(implementation.requires)}"
        ) from None


def build(
    requirements: Sequence[str], constraints: Sequence[str] = (), purpose: str = "a regression"
) -> str:
    """Return the Python of an environment that holds these requirements; build the environment where it is missing.

    Requirements and constraints are in pip's syntax. `purpose` is shown while it is built.

    Raises:
        NotBuilt: where pip cannot install them.
    """
    parts = [sys.version, *sorted(requirements), "--", *sorted(constraints)]
    folder = _parent() / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    python = folder / "bin" / "python"
    if folder in _IN_USE:
        return str(python)
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep()
    lock = folder.with_suffix(".lock").open("w")
    try:
        if not _usable(folder):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                command_line.say(
                    f"waiting for another process that uses the environment of {purpose}", err=True
                )
                fcntl.flock(lock, fcntl.LOCK_EX)
        if not _usable(folder):
            shutil.rmtree(folder, ignore_errors=True)
            start = time.monotonic()
            environment = Environment(purpose, tuple(sorted(requirements)))
            what = f"an environment for {purpose} ({', '.join(environment.requirements)})"
            command_line.say(
                f"installing {what}; this takes a minute or two and prints nothing", err=True
            )
            install(folder, requirements, constraints)
            command_line.say(f"installed after {time.monotonic() - start:.0f} s", err=True)
            (folder / "finished").write_bytes(msgspec.json.encode(environment))
        fcntl.flock(lock, fcntl.LOCK_SH)
    except BaseException:
        lock.close()
        raise
    _IN_USE[folder] = lock
    return str(python)


_IN_USE: dict[Path, TextIO] = {}
"""Locks of the environments that this process uses. They are held until it ends, so that nobody removes one."""


def import_path(python: str) -> str:
    """Return the PYTHONPATH of a process of the suite: this checkout, then the user's own.

    Without the user's where `python` is that of another environment: it must hold exactly what it was built for.
    """
    inherited = os.environ.get("PYTHONPATH")
    if inherited and python == sys.executable:
        return os.pathsep.join([str(ROOT), inherited])
    return str(ROOT)


def _usable(folder: Path) -> bool:
    """Whether an environment is finished, and its Python is still there."""
    return (folder / "finished").exists() and os.access(folder / "bin" / "python", os.X_OK)


def _parent() -> Path:
    return cache() / "environments"


@contextlib.contextmanager
def _unused(folder: Path) -> Iterator[None]:
    """Lock an environment, so that no process can use it; BlockingIOError where one does."""
    # the lock file stays: another process may be waiting for it
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def sweep() -> None:
    """Remove half-built environments: those whose lock no process holds."""
    for path in _parent().glob("*.lock"):
        folder = path.with_suffix("")
        if folder.exists() and not (folder / "finished").exists():
            with contextlib.suppress(OSError), _unused(folder):  # such as a read-only cache
                if not (folder / "finished").exists():  # another process may have ended meanwhile
                    shutil.rmtree(folder, ignore_errors=True)


def environments() -> list[Environment]:
    """Return every finished environment in the cache. Half-built ones are removed first."""
    sweep()
    finished = []
    for path in sorted(_parent().glob("*/finished")):
        environment = msgspec.json.decode(path.read_bytes(), type=Environment)
        finished.append(msgspec.structs.replace(environment, id=path.parent.name))
    return finished


def size(environment: Environment) -> int:
    """Return the bytes on the disk that an environment takes."""
    total = 0
    for path in (_parent() / environment.id).rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a process may be removing it
            total += path.lstat().st_blocks * 512
    return total


def remove(environment: Environment) -> None:
    """Remove an environment.

    Raises:
        ValueError: where a process uses it.
    """
    folder = _parent() / environment.id
    try:
        with _unused(folder):
            # first: half an environment must never be used
            (folder / "finished").unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        raise ValueError(f"{environment.id} is in use") from None


def version(distribution: str) -> str | None:
    """The installed version of a distribution; None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def distributions(implementation: Implementation) -> tuple[str, ...]:
    """The distributions that must be installed for an implementation."""
    # the name in a requirement: `keras` of `keras>=3.12`
    required = [
        re.sub(r"^\s*(\w[\w.-]*).*", r"\1", requirement) for requirement in implementation.requires
    ]
    names = (implementation.framework, *required)
    return tuple(dict.fromkeys(part for name in names for part in DISTRIBUTIONS.get(name, (name,))))


def versions_of(implementation: Implementation) -> str:
    """The versions behind an implementation, such as `jax 0.10.2, jaxlib 0.10.2, Python 3.11.7`."""
    names = distributions(implementation)
    versions = [f"{name} {version(name) or 'not installed'}" for name in names]
    return ", ".join([*versions, f"Python {platform.python_version()}"])
