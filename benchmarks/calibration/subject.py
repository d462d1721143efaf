"""What a calibration is about: LSTMs at a problem, as they are now, and with injected slowdowns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT
from benchmarks.calibration.injection import slowed_by
from benchmarks.measurement.sides import Version, version_of
from benchmarks.regression import snapshots
from benchmarks.regression.command import GATED_MODES, PROBLEM, turn_seconds
from benchmarks.regression.comparison import GATED, split
from benchmarks.words import listed
from impls.core import registry

GIVEN = "given"
"""The folder of a snapshot that holds files from elsewhere."""


def words(names: Collection[str], problem: str) -> str:
    """Return in words which LSTMs are calibrated at which problem; empty for those of a gate without options."""
    return "" if (set(names), problem) == (set(GATED), PROBLEM) else f"of {listed(sorted(names))} at {problem}"


@dataclass(frozen=True)
class Subject:
    """The LSTMs, the problem and the modes of a calibration; by default those of a gate.

    given: the folder of the LSTMs that are files from elsewhere; None where there are none.
    """

    names: tuple[str, ...] = GATED
    problem: str = PROBLEM
    modes: tuple[str, ...] = GATED_MODES
    given: Path | None = None

    @classmethod
    def of(cls, impls: Sequence[str], problem: str = PROBLEM) -> Subject:
        """Return the subject of the command's options.

        Raises:
            ValueError: where there is no such LSTM, or files are from several folders. One line.
        """
        own, foreign = split(impls)
        chosen = [registry.resolve(name) for name in own] + [registry.read_foreign(path) for path in foreign]
        for one in chosen:
            if not one.is_lstm:
                raise ValueError(f"{one.name} is not an LSTM")
        if len({path.parent for path in foreign}) > 1:
            raise ValueError("a calibration takes files of one folder")
        names = tuple(dict.fromkeys(one.name for one in chosen)) or GATED
        return cls(names, problem, given=foreign[0].parent if foreign else None)

    @property
    def words(self) -> str:
        """Which LSTMs at which problem, in words; empty for those of a gate without options."""
        return words(self.names, self.problem)

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
        return turn_seconds(len(self.pairs))

    def snapshot(self) -> Path:
        """Return a snapshot of impls/ and the files from elsewhere, as they are now."""
        own = snapshots.of_working_tree(ROOT / "impls", "impls")
        return own if self.given is None else snapshots.joined(own, snapshots.of_working_tree(self.given, GIVEN))

    def _path(self, root: Path, name: str) -> Path:
        """Return the path of an LSTM's file in a snapshot."""
        foreign = root / GIVEN / f"{name}.py"
        return foreign if foreign.is_file() else root / "impls" / f"{name}.py"

    def version(self, root: Path, name: str) -> Version:
        """Return a snapshot's version of an LSTM."""
        path = self._path(root, name)
        return version_of(registry.read_foreign(path) if path.parent.name == GIVEN else registry.read(path), root)

    def versions(self, root: Path) -> dict[str, Version]:
        """Return a snapshot's version of each LSTM."""
        return {name: self.version(root, name) for name in self.names}

    def slowed(
        self,
        root: Path,
        share: float,
        work: str,
        names: Sequence[str],
        modes: Sequence[str],
        amounts: Mapping[str, float] | None = None,
    ) -> Path:
        """Return a copy of a snapshot in which a call of these LSTMs takes longer by `share`, in these modes.

        `amounts` has the work, as a share of a call, by name and mode; where there are none, KINDS decides.
        """
        changes = {}
        for name in names:
            of_name = amounts and {mode: amounts[f"{name} {mode}"] for mode in modes}
            path = self._path(root, name).relative_to(root)
            changes[path.as_posix()] = slowed_by(share, work, modes, of_name)
        return snapshots.changed(root, changes)
