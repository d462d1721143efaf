"""The sides of a session: one in a run, base and head in a regression, more in a calibration."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import ROOT
from benchmarks.runner.arm import Arm, ArmFailed
from benchmarks.runner.home import Home, Limits
from impls.core import environments
from impls.core.precision import IEEE
from impls.core.registry import Implementation
from impls.core.text import one_line


@dataclass(frozen=True)
class Version:
    """A side's version of an implementation.

    root is the folder of the impls/ that it imports, python runs it. failure says why its environment could not be
    built, and is None where it could.
    """

    implementation: Implementation
    root: Path = ROOT
    python: str = sys.executable
    failure: ArmFailed | None = None


def version_of(implementation: Implementation, root: Path = ROOT, present: str = sys.executable) -> Version:
    """Return a Version that runs in the implementation's own environment, or in `present` where it needs none."""
    try:
        return Version(implementation, root, environments.python_for(implementation, present))
    except environments.NotBuilt as error:
        return Version(implementation, root, failure=ArmFailed("not_installed", one_line(str(error), 300)))


@dataclass(frozen=True)
class Side:
    """A label, and by name the implementations, and the reasons why others cannot be read."""

    label: str
    versions: Mapping[str, Version]
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of all implementations, including those that cannot be read."""
        return [*self.versions, *self.unreadable]


def worker_dtype(dtypes: Iterable[str]) -> str:
    """Return the dtype that a worker for these dtypes is started with: JAX must know of float64 when it starts."""
    return "float64" if "float64" in dtypes else "float32"


def make_arm(
    version: Version,
    device: str,
    limits: Limits,
    dtype: str,
    folder: Path,
    alias: Path | None = None,
    precision: str = IEEE,
) -> Arm:
    """Return an arm that is not started yet.

    Args:
        version: what it runs.
        device: cpu or cuda.
        limits: what it may use.
        dtype: the dtype that its worker is started with.
        folder: the folder of its compile caches and its log.
        alias: a link to make to the version's root, so that the paths of all sides are equally long.
        precision: of float32 products.
    """
    home = Home(version.python, (version.root, ROOT) if version.root != ROOT else (ROOT,))
    if alias is not None:
        alias.unlink(missing_ok=True)
        alias.symlink_to(version.root)
        home = Home(version.python, (alias, ROOT))
    return Arm(version.implementation, device, limits, dtype, folder, home, precision)


def shuffled(sides: Iterable[Side], name: str, rng: random.Random) -> list[tuple[Side, Version]]:
    """Return the sides that have an implementation, in a random order, each with its version."""
    having = [(side, side.versions[name]) for side in sides if name in side.versions]
    rng.shuffle(having)
    return having
