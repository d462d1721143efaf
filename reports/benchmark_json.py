"""pytest-benchmark's JSON as records: what `pytest benchmarks --benchmark-json` writes, and a run's results.json."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa

from benchmarks.metadata import UNKNOWN, Commit, Machine, Metadata, RunOptions, located
from benchmarks.record import SCHEMA, SCHEMA_VERSION, problem_fields
from impls.core.problem import Problem
from reports.metadata import checked, read_json, usual_baseline
from reports.schema import Unreadable

MOST_BYTES = 2**25
"""The most bytes that are read. Each may be half a number, which takes 32 bytes."""
Benchmark = Annotated[str, msgspec.Meta(pattern=r"^[^/]+/[^/]+/[^/]+$")]
"""Such as `t64-b16-i128-h128/sequence/forward`."""


class Params(msgspec.Struct):
    """The parameters of a test; older files call the benchmark `case`."""

    implementation: str
    benchmark: Benchmark | None = None
    case: Benchmark | None = None

    def __post_init__(self) -> None:
        if self.benchmark is None and self.case is None:
            raise ValueError("Object missing required field benchmark")

    @property
    def parts(self) -> list[str]:
        """Problem, workload and mode."""
        return (self.benchmark or self.case or "").split("/")


class Stats(msgspec.Struct):
    """Seconds of one call: their median, and each of them where pytest-benchmark was told to keep them."""

    median: float
    data: list[float] = []


class Extra(msgspec.Struct):
    """What a run's results.json says of an entry in addition."""

    track: str = UNKNOWN
    versions: str = UNKNOWN
    digest: str | None = UNKNOWN
    device: str = UNKNOWN
    threads: int | None = None
    error: float | None = None
    first_call_seconds: float | None = None
    calls_per_sample: int | None = None


class Entry(msgspec.Struct):
    """One test."""

    params: Params
    stats: Stats
    extra_info: Extra = msgspec.field(default_factory=Extra)


class Cpu(msgspec.Struct, frozen=True):
    """The processor, as py-cpuinfo describes it."""

    brand_raw: str = UNKNOWN
    count: int | None = None


class MachineInfo(msgspec.Struct, frozen=True):
    """The machine, as pytest-benchmark describes it."""

    cpu: Cpu = Cpu()
    system: str = UNKNOWN
    release: str = ""
    python_version: str = UNKNOWN


class File(msgspec.Struct):
    """The parts of the file that are read. A run's results.json has an `environment`; other files have none."""

    benchmarks: Annotated[list[Entry], msgspec.Meta(min_length=1)]
    machine_info: MachineInfo = MachineInfo()
    commit_info: Commit = Commit()
    datetime: dt.datetime | None = None
    environment: dict[str, Any] | None = None


def read(path: Path) -> tuple[pa.Table, pa.ChunkedArray, Metadata]:
    """Return the file's entries as records of one replicate, their turns, and the run's metadata.

    Each single time becomes a turn. The file does not say which turns ran side by side, so the first of each entry
    share a block, and so on.

    Raises:
        Unreadable: names the file and the first value that is wrong.
    """
    try:
        file = read_json(path, File, MOST_BYTES)
    except msgspec.ValidationError as error:
        raise Unreadable(f"{path} is not pytest-benchmark's JSON of these benchmarks: {located(error)}") from None
    own = file.environment
    metadata = _metadata(file, path) if own is None else checked(own, f"{path}: environment")
    records = [_record(entry, metadata.run.run_id) for entry in file.benchmarks]
    try:
        table = pa.Table.from_pylist(records, schema=pa.schema(field for field in SCHEMA if field.name != "turns"))
    except (ValueError, OverflowError, pa.ArrowException) as error:  # a size or a word that no record can hold
        raise Unreadable(f"{path} holds what no record can: {error}") from None
    return table, _turns(file.benchmarks), metadata


def _turns(entries: Sequence[Entry]) -> pa.ChunkedArray:
    """Return the turns of each entry: a block and seconds. There may be millions, so they never are Python objects."""
    times = [np.array(entry.stats.data or [entry.stats.median]) for entry in entries]
    lengths = [len(each) for each in times]
    block = np.concatenate([np.arange(length, dtype=np.int32) for length in lengths])
    structs = pa.StructArray.from_arrays([pa.array(block), pa.array(np.concatenate(times))], ["block", "seconds"])
    return pa.chunked_array([pa.ListArray.from_arrays(np.cumsum([0, *lengths], dtype=np.int32), structs)])


def _record(entry: Entry, run_id: str) -> dict[str, Any]:
    problem, workload, mode = entry.params.parts
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
        **msgspec.structs.asdict(entry.extra_info),
        "seconds": entry.stats.median,
    }


def _metadata(file: File, path: Path) -> Metadata:
    """Return what pytest-benchmark says of the machine and the run."""
    machine = file.machine_info
    began = UNKNOWN
    if file.datetime is not None:
        offset = file.datetime.utcoffset() or dt.timedelta()  # in UTC, which older versions do not say
        try:
            began = f"{file.datetime.replace(tzinfo=None) - offset:%Y%m%dT%H%M%S}"
        except OverflowError:  # in the years 1 and 9999
            raise Unreadable(f"{path} was measured in the year {file.datetime.year}") from None
    return Metadata(
        machine=Machine(
            cpu=machine.cpu.brand_raw,
            cores=machine.cpu.count,
            system=f"{machine.system} {machine.release}".strip(),
        ),
        versions={"python": machine.python_version},
        commit=file.commit_info,
        run=RunOptions(
            # the same file has the same id
            run_id=f"{began}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}",
            baseline=usual_baseline(dict.fromkeys(entry.params.implementation for entry in file.benchmarks)),
            threads=file.benchmarks[0].extra_info.threads,
            replicates=1,
        ),
    )
