"""The charts and answers of a report. Each part is a file of this folder, and is found by being there.

A part is a module with a function `make`, which gets a Report, and yields a Drawing or an Answer for each thing to
show. It yields nothing where the run has nothing to show.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from reports.charts.drawing import Drawing, write
from reports.report import Answer, Report


@cache
def parts() -> Sequence[ModuleType]:
    """Return the modules of all parts, by their names."""
    return [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]


def made(report: Report) -> Iterator[Drawing | Answer]:
    """Yield everything that the parts make of a run, before any of it is drawn."""
    for part in parts():
        yield from part.make(report)


def drawn(shown: Iterable[Drawing | Answer], folder: Path) -> list[Drawing | Answer]:
    """Write the charts of what is shown into a folder, and return everything as a page has it."""
    return [write(each, folder) if isinstance(each, Drawing) else each for each in shown]
