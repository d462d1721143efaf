"""regression.json: the result of a gate, for programs. A fleet's verdict is made of these."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from benchmarks import json_files
from benchmarks.regression.decision import Finding
from benchmarks.regression.outcome import Result, Standing
from benchmarks.runner.sides import Side

FILE = "regression.json"
ONE_OF = "; one of a fleet's "
"""In the title of a gate of a fleet: how many there are follows."""


class Written(msgspec.Struct, frozen=True):
    """The content of regression.json. `verdict` is the last line of the report, `code` a hash of each side's files."""

    title: str
    verdict: str
    exit_code: int
    margin: float
    code: dict[str, str]
    findings: tuple[Finding, ...]
    standings: tuple[Standing, ...]


def of(result: Result, title: str, strict: bool, code: dict[str, str]) -> Written:
    """Return what regression.json says of a result."""
    verdict, findings, standings = result.last_line(strict), tuple(result.findings), tuple(result.standings)
    return Written(title, verdict, result.exit_code(strict), result.margin, code, findings, standings)


def code_of(side: Side) -> str:
    """Return a hash of a side's files: the implementations, and the snapshots that they are in."""
    parts = [f"{name} {version.implementation.digest} {version.root.name}" for name, version in side.versions.items()]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]


def read(folder: Path) -> Written:
    """Read a gate's regression.json.

    Raises:
        ValueError: where there is none, or it is damaged. One line.
    """
    return json_files.read(folder / FILE, Written)
