"""Whose implementations a session measures: one side in a run, base and head in a regression, more in a calibration."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measurement.arm import ROOT, Arm, ArmFailed, Home, Limits
from benchmarks.measurement.worker import one_line
from impls.core import environments
from impls.core.registry import Implementation


@dataclass(frozen=True)
class Version:
    """An implementation as one side has it.

    root is the folder whose impls/ the implementation imports; python runs it. Where its environment could not be
    built, failure says why.
    """

    implementation: Implementation
    root: Path = ROOT
    python: str = sys.executable
    failure: ArmFailed | None = None


def version_of(implementation: Implementation, root: Path = ROOT, present: str = sys.executable) -> Version:
    """A Version that runs in the implementation's own environment, or in `present` where it asks for none."""
    try:
        return Version(implementation, root, environments.python_for(implementation, present))
    except environments.NotBuilt as error:
        return Version(implementation, root, failure=ArmFailed("not_installed", one_line(str(error))))


@dataclass(frozen=True)
class Side:
    """A label, implementations by name, and by name the reasons why others cannot be read."""

    label: str
    versions: Mapping[str, Version]
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Every implementation, those that cannot be read included."""
        return [*self.versions, *self.unreadable]


def worker_dtype(dtypes: Iterable[str]) -> str:
    """What a worker that measures problems of these dtypes is started for: JAX keeps float64 off unless told."""
    return "float64" if "float64" in dtypes else "float32"


def make_arm(version: Version, device: str, limits: Limits, dtype: str, folder: Path, alias: Path | None = None) -> Arm:
    """An arm that is not started yet.

    Args:
        version: what it runs.
        device: cpu or cuda.
        limits: what it may use.
        dtype: what its worker is started for.
        folder: for its compile caches and its log.
        alias: another path to the version's root, so that no side's path is longer.
    """
    home = Home(version.python, (version.root, ROOT) if version.root != ROOT else (ROOT,))
    if alias is not None:
        alias.unlink(missing_ok=True)
        alias.symlink_to(version.root)
        home = Home(version.python, (alias, ROOT))
    return Arm(version.implementation, device, limits, dtype, folder, home)


def shuffled(sides: Iterable[Side], name: str, rng: random.Random) -> list[tuple[Side, Version]]:
    """The sides that have an implementation, in a random order."""
    having = [(side, side.versions[name]) for side in sides if name in side.versions]
    rng.shuffle(having)
    return having
