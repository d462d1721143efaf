"""A run together with what was made of it, as the page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from benchmarks import processors
from reports.charts import Picture
from reports.frames import Run


@dataclass(frozen=True)
class Reported:
    """A run, its summary, its charts and its files.

    `raw` is the path from the page to the run's files, empty or ending in a slash; `files` are those files, each with
    a few words on what it is.
    """

    run: Run
    summary: pd.DataFrame
    pictures: Sequence[Picture]
    name: str
    raw: str = ""
    files: Sequence[tuple[str, str]] = ()

    @property
    def label(self) -> str:
        """Such as `2026-11-24-190533-quick · Intel(R) Xeon(R) Processor`."""
        machine = self.run.metadata.machine
        return f"{self.name} · {machine.gpu or processors.words(machine)}"
