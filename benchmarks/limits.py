"""The limits of a run: how fast each library multiplies, and which libraries its floor uses. Read from raw/."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from benchmarks.metadata import LARGE

PEAK, FLOOR = "peak.json", "floor.json"
Peaks = dict[str, dict[str, float]]
"""By dtype and library, the best rate of a large product, in operations per second."""

Content = TypeVar("Content")


class Floor(msgspec.Struct):
    """What impls/core/floor.py keeps of its choices: the library of each product of a mode, and all rates."""

    plans: dict[str, dict[str, dict[str, str]]] = {}
    rates: dict[str, dict[str, dict[str, float]]] = {}


def read(path: Path, kind: type[Content]) -> Content:
    """Return the content of a file of raw/; what a missing file would say where it is missing.

    Raises:
        UsageError: where the file is damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return kind()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} is damaged: {error}") from None


def described(raw: Path) -> dict[str, Any]:
    """Return what environment.json says of a run's limits, by the fields of Metadata.

    The peak is the best rate of any library at any product: the large one, or one of the floor's.

    Raises:
        UsageError: where a file is damaged.
    """
    peaks, floor = read(raw / PEAK, Peaks), read(raw / FLOOR, Floor)
    rates = {
        dtype: {LARGE: of_library, **floor.rates.get(dtype, {})} for dtype, of_library in peaks.items() if of_library
    }
    best = {
        dtype: max((rate, name) for of_library in products.values() for name, rate in of_library.items())
        for dtype, products in rates.items()
    }
    return {
        "matmul_flops_per_second": {dtype: rate for dtype, (rate, _) in best.items()},
        "peak_library": {dtype: name for dtype, (_, name) in best.items()},
        "floor_libraries": {
            key: ", ".join(sorted({name for plan in modes.values() for name in plan.values()}))
            for key, modes in floor.plans.items()
        },
        "rates": rates,
    }
