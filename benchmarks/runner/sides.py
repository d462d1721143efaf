"""The sides of a session: one in a run, base and head in a regression, more in a calibration."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import ROOT
from benchmarks.runner.arm import ArmFailed
from impls.core import environments
from impls.core.registry import Implementation
from impls.core.text import one_line


@dataclass(frozen=True)
class Version:
    """A side's version of an implementation.

    root has the impls/ from which it imports implementations and families; python runs it. failure says why its
    environment could not be built, and is None where it could.
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
