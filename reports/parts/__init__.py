"""The charts and answers of a report. Each part is a file of this folder, and is found by being there.

A part is a module with a function `make`, which gets a Report, and yields a Drawing or an Answer for each thing to
show. It yields nothing where the run has nothing to show.
"""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

from reports.charts.drawing import Drawing
from reports.report import Answer, Report


def parts() -> Iterator[ModuleType]:
    """Yield the modules of all parts, by their names."""
    for module in pkgutil.iter_modules(__path__):
        yield import_module(f"{__name__}.{module.name}")


def made(report: Report) -> Iterator[Drawing | Answer]:
    """Yield everything that the parts make of a run, before any of it is drawn."""
    for part in parts():
        yield from part.make(report)
