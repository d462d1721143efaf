"""What a calibration is about: LSTMs at a problem, as they are now, and with injected slowdowns."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks import ROOT
from benchmarks.calibration.pool import Identity
from benchmarks.cases import GATED, GATED_MODES, GATED_PROBLEM
from benchmarks.processors import Machine
from benchmarks.regression import snapshots
from benchmarks.regression.comparison import split
from benchmarks.regression.gate_options import turn_seconds
from benchmarks.runner.sides import Version, version_of
from impls.core import registry
from impls.core.files import digest
from impls.core.workloads import MODES

GIVEN = "given"
"""The folder of a snapshot that holds the folder of a file from elsewhere."""
Changes = Mapping[str, Callable[[str], str]]
"""By the name of an LSTM, what changes its source."""


@dataclass(frozen=True)
class Subject:
    """The LSTMs, the problem and the modes of a calibration; by default as in a gate.

    given: the file of the LSTM that is from elsewhere; None where there is none.
    """

    names: tuple[str, ...] = GATED
    problem: str = GATED_PROBLEM
    modes: tuple[str, ...] = GATED_MODES
    given: Path | None = None

    @classmethod
    def of(
        cls, impls: Sequence[str], problem: str = GATED_PROBLEM, modes: Sequence[str] = ()
    ) -> Subject:
        """Return the subject of the command's options."""
        own, foreign = split(impls)
        if len(foreign) > 1:
            raise ValueError("a calibration takes one file of your own: two may import each other")
        chosen = [registry.resolve(name) for name in own]
        given = None
        for path in foreign:
            snapshots.top(path.parent)  # without a repository, all beside it would be copied
            chosen.append(registry.read_foreign(path))
            given = chosen[-1].path
        for implementation in chosen:
            if not implementation.is_lstm:
                raise ValueError(f"{implementation.name} is not an LSTM")
        names = tuple(implementation.name for implementation in chosen)
        in_order = tuple(mode for mode in MODES if mode in modes)
        return cls(names or GATED, problem, in_order or GATED_MODES, given)

    @property
    def benchmarks(self) -> dict[str, str]:
        """The id of the benchmark of each mode."""
        return {mode: f"{self.problem}/sequence/{mode}" for mode in self.modes}

    @property
    def turn_seconds(self) -> float:
        """How long a turn of its gates is."""
        return turn_seconds(len(self.names) * len(self.modes), "cpu")

    @cached_property
    def snapshots(self) -> list[Path]:
        """Snapshots of impls/ and of the folder of the file from elsewhere, as they were when first wanted."""
        taken = [snapshots.of_working_tree(ROOT / "impls", "impls")]
        if self.given is not None:
            taken.append(snapshots.of_working_tree(self.given.parent, GIVEN))
            if not (taken[-1] / GIVEN / self.given.name).is_file():
                raise snapshots.Unusable(f"git ignores {self.given}, so it is in no snapshot")
        return taken

    def identity(self, machine: Machine) -> Identity:
        """Return what a pool of its replicates is of, with the code of the file from elsewhere and beside it."""
        code = ""
        if self.given is not None:
            folder = self.snapshots[-1] / GIVEN
            files = {}
            for path in folder.rglob("*.py"):
                if path.is_file():
                    files[path.relative_to(folder).as_posix()] = path.read_bytes()
            code = digest(files)[:8]
        return Identity(machine, tuple(sorted(self.names)), self.problem, self.modes, code)

    def copied(self, place: Path, changes: Changes) -> dict[str, Version]:
        """Copy the files to a place, change the sources of some LSTMs there, and return the version of each LSTM."""
        for snapshot in self.snapshots:
            shutil.copytree(snapshot, place, symlinks=True, dirs_exist_ok=True)
        versions = {}
        for name in self.names:
            foreign = self.given is not None and name == self.given.stem
            read = registry.read_foreign if foreign else registry.read
            path = place / (GIVEN if foreign else "impls") / f"{name}.py"
            if name in changes:
                path.write_text(changes[name](path.read_text(encoding="utf-8")), encoding="utf-8")
            versions[name] = version_of(read(path), place)
        return versions
