"""pytest-benchmark's JSON as records: what `pytest benchmarks --benchmark-json` writes, and a run's results.json."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import AliasChoices, BaseModel, Field, ValidationError

from benchmarks.record import SCHEMA, SCHEMA_VERSION, Record, problem_fields
from impls.core.problem import Problem
from reports.metadata import UNKNOWN, baseline_among, checked, first_error, read_json
from reports.schema import Unreadable


class Params(BaseModel):
    """What a test was parametrised by."""

    implementation: str
    benchmark: str = Field(validation_alias=AliasChoices("benchmark", "case"), pattern=r"^[^/]+/[^/]+/[^/]+$")


class Stats(BaseModel):
    """Seconds of one call; single ones only where pytest-benchmark was told to keep them."""

    median: float
    data: list[float] = []


class Extra(BaseModel):
    """What a run's results.json says besides."""

    track: str = UNKNOWN
    versions: str = UNKNOWN
    digest: str = UNKNOWN
    device: str = UNKNOWN
    threads: int | None = None
    error: float | None = None
    first_call_seconds: float | None = None
    calls_per_sample: int | None = None


class Entry(BaseModel):
    """One test."""

    params: Params
    stats: Stats
    extra_info: Extra = Extra()


class Cpu(BaseModel):
    """The processor, as py-cpuinfo tells it."""

    brand_raw: str = UNKNOWN
    count: int | None = None


class Machine(BaseModel):
    """Where it was measured."""

    cpu: Cpu = Cpu()
    system: str = UNKNOWN
    release: str = ""
    python_version: str = UNKNOWN


class Commit(BaseModel):
    """The state of the checkout."""

    id: str | None = None
    dirty: bool | None = None


class File(BaseModel):
    """The whole file, as far as it is read."""

    benchmarks: list[Entry] = Field(min_length=1)
    machine_info: Machine = Machine()
    commit_info: Commit = Commit()
    datetime: dt.datetime | None = None
    environment: dict[str, Any] | None = None  # a run's results.json has its own


def read(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    """Records as benchmarks.record has them, of one replicate, and what is known of the environment.

    Single times become turns; which took turns with which is not known, so the first is paired with the first, and so
    on. Raises Unreadable.
    """
    found = read_json(path)
    try:
        file = File.model_validate(found)
    except ValidationError as error:
        raise Unreadable(f"{path} is not pytest-benchmark's JSON of these benchmarks: {first_error(error)}") from None
    if file.environment is not None:
        environment = checked(file.environment, f"{path}: environment")
    else:
        environment = checked(_environment(file, path), str(path))
    records = [_record(entry, environment["run"]["run_id"]) for entry in file.benchmarks]
    try:
        return pa.Table.from_pylist(records, schema=SCHEMA), environment
    except (ValueError, OverflowError, pa.ArrowException) as error:  # a size or a word that no record can hold
        raise Unreadable(f"{path} holds what no record can: {error}") from None


def _record(entry: Entry, run_id: str) -> Record:
    problem, workload, mode = entry.params.benchmark.split("/")
    try:
        fields = problem_fields(Problem.parse(problem))
    except ValueError:  # another suite's: all that is known of it is its name
        fields = {"problem": problem, "dtype": UNKNOWN}
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "implementation": entry.params.implementation,
        **fields,
        "workload": workload,
        "mode": mode,
        "replicate": 0,
        "status": "ok",
        "reason": "",
        **entry.extra_info.model_dump(),
        "seconds": entry.stats.median,
        "turns": [{"block": k, "seconds": one} for k, one in enumerate(entry.stats.data or [entry.stats.median])],
    }


def _environment(file: File, path: Path) -> dict[str, Any]:
    machine = file.machine_info
    names = dict.fromkeys(entry.params.implementation for entry in file.benchmarks)
    began = UNKNOWN
    if file.datetime is not None:  # in UTC, which older versions of pytest-benchmark do not say
        began = f"{file.datetime.astimezone(dt.UTC) if file.datetime.tzinfo else file.datetime:%Y%m%dT%H%M%S}"
    return {
        "machine": {
            "cpu": machine.cpu.brand_raw,
            "cores": machine.cpu.count,
            "system": f"{machine.system} {machine.release}".strip(),
        },
        "versions": {"python": machine.python_version},
        "commit": file.commit_info.model_dump(),
        "run": {
            # the same file has the same id
            "run_id": f"{began}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}",
            "baseline": baseline_among(names),
            "threads": file.benchmarks[0].extra_info.threads,
            "replicates": 1,
        },
    }
