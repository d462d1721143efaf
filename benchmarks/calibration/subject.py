"""What a calibration is about: LSTMs at a problem, as they are now, and with injected slowdowns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from benchmarks import ROOT
from benchmarks.calibration.injection import inject
from benchmarks.calibration.pool import Identity
from benchmarks.cases import GATED, GATED_MODES, GATED_PROBLEM
from benchmarks.metadata import Machine
from benchmarks.regression import snapshots
from benchmarks.regression.comparison import split
from benchmarks.regression.gate_options import turn_seconds
from benchmarks.runner.sides import Version, version_of
from impls.core import registry
from impls.core.contract import MODES
from impls.core.files import digest

GIVEN = "given"
"""The folder of a snapshot that holds the folder of a file from elsewhere."""


@dataclass(frozen=True)
class Subject:
    """The LSTMs, the problem and the modes of a calibration; by default those of a gate.

    given: the file of the LSTM that is from elsewhere; None where there is none.
    """

    names: tuple[str, ...] = GATED
    problem: str = GATED_PROBLEM
    modes: tuple[str, ...] = GATED_MODES
    given: Path | None = None

    @classmethod
    def of(cls, impls: Sequence[str], problem: str = GATED_PROBLEM, modes: Sequence[str] = ()) -> Subject:
        """Return the subject of the command's options."""
        own, foreign = split(impls)
        if len(foreign) > 1:
            raise ValueError("a calibration takes one file of your own: two may import each other")
        chosen = [registry.resolve(name) for name in own] + [registry.read_foreign(path) for path in foreign]
        for path in foreign:
            try:
                snapshots.git(path.parent, "rev-parse", "--git-dir")
            except snapshots.Unusable:
                raise ValueError(f"{path} is in no git repository: all that lies beside it would be copied") from None
        for implementation in chosen:
            if not implementation.is_lstm:
                raise ValueError(f"{implementation.name} is not an LSTM")
        names = tuple(implementation.name for implementation in chosen)
        given = chosen[-1].path if foreign else None
        return cls(names or GATED, problem, tuple(mode for mode in MODES if mode in modes) or GATED_MODES, given)

    @property
    def benchmarks(self) -> dict[str, str]:
        """The id of the benchmark of each mode."""
        return {mode: f"{self.problem}/sequence/{mode}" for mode in self.modes}

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every LSTM in every mode."""
        return [(name, mode) for name in self.names for mode in self.modes]

    @property
    def turn_seconds(self) -> float:
        """How long a turn of its gates is."""
        return turn_seconds(len(self.pairs), "cpu")

    @cached_property
    def root(self) -> Path:
        """A snapshot of impls/ and of the folder of the file from elsewhere, as they were when it was first wanted."""
        own = snapshots.of_working_tree(ROOT / "impls", "impls")
        if self.given is None:
            return own
        beside = snapshots.of_working_tree(self.given.parent, GIVEN)
        if not (beside / GIVEN / self.given.name).is_file():
            raise snapshots.Unusable(f"git ignores {self.given}, so it is in no snapshot")
        return snapshots.joined([own, beside])

    def identity(self, machine: Machine) -> Identity:
        """Return what a pool of its replicates is of, with the code of the file from elsewhere and beside it."""
        folder, code = self.root / GIVEN, ""
        if self.given is not None:
            code = digest({path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.py")})[:8]
        return Identity(machine, tuple(sorted(self.names)), self.problem, self.modes, code)

    def _path(self, name: str) -> Path:
        """Return the path of an LSTM's file in a snapshot."""
        given = self.given is not None and name == self.given.stem
        return Path(GIVEN if given else "impls") / f"{name}.py"

    def versions(self, root: Path) -> dict[str, Version]:
        """Return a snapshot's version of each LSTM."""
        paths = {name: self._path(name) for name in self.names}
        readers = {GIVEN: registry.read_foreign, "impls": registry.read}
        return {name: version_of(readers[path.parts[0]](root / path), root) for name, path in paths.items()}

    def slowed(self, share: float, work: str, names: Sequence[str], modes: Sequence[str]) -> Path:
        """Return a copy of the snapshot in which a call of these LSTMs takes longer by `share`, in these modes."""
        change = partial(inject, share=share, kind=work, modes=modes)
        return snapshots.joined([self.root], {self._path(name).as_posix(): change for name in names})
