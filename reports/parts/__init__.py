"""The charts and answers of a report. Each part is a file of this folder, and is found by being there.

A part is a module with these names:

    SECTION  the section of the page that shows it, of reports.site.SECTIONS
    ORDER    its place in the section: a lower number comes first
    make     its function: gets a Report, and yields a Drawing or an Answer for each thing to show. It yields nothing
             where the run has nothing to show.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from reports.charts.drawing import Drawing, write
from reports.report import Report, Shown


@cache
def parts() -> Sequence[ModuleType]:
    """Return the modules of all parts, in the order in which a report has them."""
    found = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return sorted(found, key=lambda part: part.ORDER)


def made(report: Report) -> Iterator[Shown]:
    """Yield everything that the parts make of a run, before any of it is drawn."""
    for part in parts():
        for what in part.make(report):
            yield Shown(what, part.SECTION, part.ORDER)


def drawn(shown: Iterable[Shown], folder: Path) -> list[Shown]:
    """Write the charts of what is shown into a folder, and return everything as a page has it."""
    return [replace(each, what=write(each.what, folder)) if isinstance(each.what, Drawing) else each for each in shown]
