"""The metadata of a run, from its environment.json or from its records alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.metadata import UNKNOWN, Metadata, RunOptions, parse
from reports.schema import Unreadable

USUAL_BASELINE = "torch_lstm"


class Missing(Unreadable):
    """A file that is not there."""


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
        return parse(content)
    except ValueError as error:
        raise Unreadable(f"{source} is not what a run writes: {error}") from None


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        Missing: the file does not exist.
        Unreadable: the file is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Missing(f"{path} does not exist") from None
    except (OSError, ValueError, RecursionError) as error:
        raise Unreadable(f"{path} is not readable JSON ({error})") from None
