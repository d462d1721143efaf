"""What environment.json must say; where a bare file says nothing, it is honestly unknown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from reports.schema import Unreadable

UNKNOWN = "unknown"


class _Part(BaseModel):
    # numbers are not taken for words, nor words for numbers; what else was recorded stays
    model_config = ConfigDict(strict=True, extra="allow")


class Machine(_Part):
    """Where it was measured."""

    cpu: str = UNKNOWN
    cores: int | None = None
    memory_bytes: int | None = None
    gpu: str | None = None
    system: str = UNKNOWN


class Versions(_Part):
    """Versions of what is no implementation's."""

    python: str = UNKNOWN


class Commit(_Part):
    """The state of the checkout."""

    id: str | None = None
    dirty: bool | None = None


class Options(_Part):
    """What the run was asked to do."""

    run_id: str
    baseline: str
    threads: int | None = None
    replicates: int | None = None
    blocks: int | None = None
    seed: int | None = None
    implementations: list[str] = []
    weights: str | None = None


class Environment(_Part):
    """The whole file."""

    machine: Machine = Machine()
    versions: Versions = Versions()
    commit: Commit = Commit()
    matmul_precision: str = UNKNOWN
    matmul_flops_per_second: dict[str, float] | None = None
    run: Options


def baseline_among(names: Iterable[str]) -> str:
    """What ratios are taken to where no run says it: as in a run, torch_lstm, else the first."""
    found = list(names)
    return "torch_lstm" if "torch_lstm" in found else next(iter(found), UNKNOWN)


def of_records(records: pd.DataFrame, turns: pd.DataFrame) -> dict[str, Any]:
    """What a run's records alone tell of it."""
    threads = records["threads"].dropna()
    run = {
        "run_id": str(records["run_id"].iloc[0]),
        "baseline": baseline_among(records["implementation"].unique()),
        "threads": int(threads.iloc[0]) if len(threads) else None,
        "replicates": int(records["replicate"].nunique()),
        "blocks": int(turns["block"].nunique()),
    }
    return checked({"run": run}, "records")


def checked(found: Any, source: str) -> dict[str, Any]:
    """What was read, with all that a report needs; what is not said is unknown, or None. Raises Unreadable."""
    try:
        return Environment.model_validate(found).model_dump()
    except ValidationError as error:
        raise Unreadable(f"{source} is not what a run writes: {first_error(error)}") from None


def first_error(error: ValidationError) -> str:
    """Where it is and what it is, in one line."""
    first = error.errors(include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the whole of it'}: {first['msg']}"


class Missing(Unreadable):
    """A file that is not there."""


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises Unreadable."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Missing(f"{path} does not exist") from None
    except (OSError, ValueError, RecursionError) as error:
        raise Unreadable(f"{path} is not readable JSON ({error})") from None
