"""The limits of a run: how fast each library multiplies, and which libraries its floor uses. Read from raw/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import click
import msgspec

from benchmarks.metadata import LARGE, Metadata
from benchmarks.runner.arm import ArmFailed
from benchmarks.runner.session import Session
from benchmarks.worker import requests
from impls.core.command_line import say
from impls.core.registry import DEFAULT_DTYPES

PEAK, FLOOR = "peak.json", "floor.json"
PEAK_SECONDS = 120.0
"""The least time that the floor may take to measure the machine's peak, whatever --timeout is."""
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


def measure_peaks(session: Session) -> Peaks:
    """Have the session's floor measure the machine's peak in each dtype. Where it can't, say so."""
    floor = next((arm for arm in session.arms.values() if arm.implementation.is_floor and arm.alive), None)
    peaks = Peaks()
    seconds = max(PEAK_SECONDS, session.limits.call_seconds)
    known = floor.implementation.dtypes if floor else DEFAULT_DTYPES
    for dtype in sorted({benchmark.problem.dtype for benchmark in session.benchmarks}.intersection(known)):
        try:
            if floor is None:
                raise ArmFailed("error", "the floor does not run")
            with session.stopwatch.spent("measuring"):
                peak = floor.ask(requests.MeasurePeak(dtype), seconds)
            peaks.rates[dtype], peaks.dispatch = peak.rates, peak.dispatch
        except ArmFailed as failure:
            if "floor" in session.names:
                say(f"warning: the peak in {dtype} is not known: {failure}", err=True)
    return peaks


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
