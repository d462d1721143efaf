"""The metadata of a run, from its environment.json or from its records alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from benchmarks.metadata import UNKNOWN, Metadata, RunOptions, parse
from impls.core.files import read_regular
from reports.schema import Unreadable

USUAL_BASELINE = "torch_lstm"
MOST = 2**64
"""No number of an environment.json is as large; seeds have at most 64 bits."""
MOST_BYTES = 2**20
"""The most bytes of an environment.json; a long one has a few thousand."""


def usual_baseline(implementations: Iterable[str]) -> str:
    """Return the baseline of a run that names none: torch_lstm if it is there, else the first implementation."""
    names = list(implementations)
    return USUAL_BASELINE if USUAL_BASELINE in names else next(iter(names), UNKNOWN)


def from_records(records: pd.DataFrame, turns: pd.DataFrame) -> Metadata:
    """Return what a run's records say of it; the rest is unknown."""
    threads = records["threads"].dropna()
    return Metadata(
        run=RunOptions(
            run_id=str(records["run_id"].iloc[0]),
            baseline=usual_baseline(records["implementation"].unique()),
            threads=int(threads.iloc[0]) if len(threads) else None,
            replicates=int(records["replicate"].nunique()),
            blocks=int(turns["block"].nunique()),
        )
    )


def checked(content: Any, source: str) -> Metadata:
    """Return the metadata in the content of an environment.json.

    Raises:
        Unreadable: names the source and the first value that is wrong.
    """
    try:
        found = parse(content)
    except ValueError as error:
        raise Unreadable(f"{source} is not what a run writes: {error}") from None
    for place, number in _numbers(msgspec.to_builtins(found)):
        if not 0 <= number < MOST:
            raise Unreadable(f"{source} is not what a run writes: {place} is {number:g}")
    return found


def _numbers(content: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number of an environment.json, with its place: none of them is below zero."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _numbers(value, f"{place}.{name}".removeprefix("."))
    elif isinstance(content, int | float):
        yield place, content


def read_json(path: Path, kind: Any = Any, most: int = MOST_BYTES) -> Any:
    """Return the content of a JSON file, as msgspec decodes it into `kind`.

    Raises:
        Unreadable: there is no such file, it is not JSON, or has more than `most` bytes.
        msgspec.ValidationError: its content is of another kind.
    """
    try:
        text = read_regular(path, most)
    except ValueError as error:
        raise Unreadable(str(error)) from None
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError:
        raise
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{path} is not readable JSON ({error})") from None
