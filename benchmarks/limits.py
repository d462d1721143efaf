"""The limits of a run: how fast each library multiplies, and which libraries its floor uses. Read from raw/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import click
import msgspec

from benchmarks.metadata import LARGE, Metadata

PEAK, FLOOR = "peak.json", "floor.json"
Content = TypeVar("Content")


Rates = dict[str, dict[str, Annotated[float, msgspec.Meta(gt=0)]]]


class Peaks(msgspec.Struct):
    """By dtype and library, the best rate of a large product; by library, which instructions it takes."""

    rates: Rates = {}
    dispatch: dict[str, str] = {}


class Floor(msgspec.Struct):
    """What impls/core/floor.py keeps of its choices: the library of each product of a mode, and all rates."""

    plans: dict[str, dict[str, dict[str, str]]] = {}
    rates: dict[str, Rates] = {}


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


def described(metadata: Metadata, raw: Path) -> Metadata:
    """Return a run's metadata with its limits.

    The peak is the best rate of any library at any product: the large one, or one of the floor's.

    Raises:
        UsageError: where a file is damaged.
    """
    peaks, floor = read(raw / PEAK, Peaks), read(raw / FLOOR, Floor)
    rates = {
        dtype: {LARGE: of_library, **floor.rates.get(dtype, {})}
        for dtype, of_library in peaks.rates.items()
        if of_library
    }
    best = {
        dtype: max((rate, name) for of_library in products.values() for name, rate in of_library.items())
        for dtype, products in rates.items()
    }
    return msgspec.structs.replace(
        metadata,
        machine=msgspec.structs.replace(metadata.machine, dispatch=peaks.dispatch),
        matmul_flops_per_second={dtype: rate for dtype, (rate, _) in best.items()},
        peak_library={dtype: name for dtype, (_, name) in best.items()},
        floor_libraries={
            key: ", ".join(sorted({name for plan in modes.values() for name in plan.values()}))
            for key, modes in floor.plans.items()
        },
        rates=rates,
    )
