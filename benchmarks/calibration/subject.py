"""What a calibration is about: LSTMs at a problem, as they are now, and with injected slowdowns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from benchmarks import ROOT
from benchmarks.calibration.injection import inject
from benchmarks.regression import snapshots
from benchmarks.regression.command import GATED_MODES, PROBLEM, turn_seconds
from benchmarks.regression.comparison import GATED, split
from benchmarks.runner.sides import Version, version_of
from benchmarks.words import listed
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
    problem: str = PROBLEM
    modes: tuple[str, ...] = GATED_MODES
    given: Path | None = None

    @classmethod
    def of(cls, impls: Sequence[str], problem: str = PROBLEM, modes: Sequence[str] = ()) -> Subject:
        """Return the subject of the command's options.

        Raises:
            ValueError: where there is no such LSTM, two have the same name, or a file from elsewhere can't be copied.
        """
        own, foreign = split(impls)
        if len(foreign) > 1:
            raise ValueError("a calibration takes one file of your own: two may import each other")
        chosen = [registry.resolve(name) for name in own] + [registry.read_foreign(path) for path in foreign]
        for path in foreign:
            try:
                snapshots.git(path.parent, "rev-parse", "--git-dir")
            except snapshots.Unusable:
                raise ValueError(f"{path} is in no git repository: all that lies beside it would be copied") from None
        for one in chosen:
            if not one.is_lstm:
                raise ValueError(f"{one.name} is not an LSTM")
        names = tuple(dict.fromkeys(one.name for one in chosen))
        if len(names) < len(chosen):
            raise ValueError("two of the implementations have the same name; rename one")
        given = chosen[-1].path if foreign else None
        return cls(names or GATED, problem, tuple(mode for mode in MODES if mode in modes) or GATED_MODES, given)

    @property
    def description(self) -> str:
        """Which LSTMs, problem and modes these are, in words; empty for those of a gate without options."""
        if (set(self.names), self.problem, self.modes, self.given) == (set(GATED), PROBLEM, GATED_MODES, None):
            return ""
        names = [f"{name} ({self._digest()})" if self._is_given(name) else name for name in sorted(self.names)]
        modes = "" if self.modes == GATED_MODES else f", {listed(self.modes)}"
        return f"{listed(names)} at {self.problem}{modes}"

    @property
    def benchmarks(self) -> dict[str, str]:
        """The id of the benchmark of each mode."""
        return {mode: f"{self.problem}/sequence/{mode}" for mode in self.modes}

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every LSTM in every mode."""
        return [(name, mode) for name in self.names for mode in self.modes]

    def turn_seconds(self, device: str) -> float:
        """Return how long a turn of its gates is on a device."""
        return turn_seconds(len(self.pairs), device)

    @cached_property
    def root(self) -> Path:
        """A snapshot of impls/ and of the folder of the file from elsewhere, as they were when it was first asked for.

        Raises:
            Unusable: where git ignores that file.
        """
        own = snapshots.of_working_tree(ROOT / "impls", "impls")
        if self.given is None:
            return own
        beside = snapshots.of_working_tree(self.given.parent, GIVEN)
        if not (beside / GIVEN / self.given.name).is_file():
            raise snapshots.Unusable(f"git ignores {self.given}, so it is in no snapshot")
        return snapshots.joined(own, beside)

    def _digest(self) -> str:
        """Return a short hash of the file from elsewhere and of every module beside it."""
        folder = self.root / GIVEN
        return digest({path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.py")})[:8]

    def _is_given(self, name: str) -> bool:
        return self.given is not None and name == self.given.stem

    def _path(self, name: str) -> Path:
        """Return the path of an LSTM's file in a snapshot."""
        return Path(GIVEN if self._is_given(name) else "impls") / f"{name}.py"

    def version(self, root: Path, name: str) -> Version:
        """Return a snapshot's version of an LSTM."""
        read = registry.read_foreign if self._is_given(name) else registry.read
        return version_of(read(root / self._path(name)), root)

    def versions(self, root: Path) -> dict[str, Version]:
        """Return a snapshot's version of each LSTM."""
        return {name: self.version(root, name) for name in self.names}

    def slowed(self, root: Path, share: float, work: str, names: Sequence[str], modes: Sequence[str]) -> Path:
        """Return a copy of a snapshot in which a call of these LSTMs takes longer by `share`, in these modes."""
        change = partial(inject, share=share, kind=work, modes=modes)
        return snapshots.changed(root, {self._path(name).as_posix(): change for name in names})
