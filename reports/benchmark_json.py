"""What `pytest benchmarks --benchmark-json FILE` writes, as the records of a run with one replicate."""

import datetime as dt
import hashlib
from typing import Any

import msgspec
import pyarrow as pa

from benchmarks.cases import Benchmark
from benchmarks.metadata import Commit, Metadata
from benchmarks.options import Options
from benchmarks.processors import UNKNOWN, Machine
from benchmarks.record import SCHEMA, SCHEMA_VERSION, problem_fields


class Params(msgspec.Struct):
    """The parameters of bench_lstm."""

    implementation: str
    case: str


class Stats(msgspec.Struct):
    """Seconds of one call: their median, and each of them unless pytest-benchmark was told to leave them out."""

    median: float
    data: list[float] = []


class Entry(msgspec.Struct):
    """One test. `extra_info` has its device."""

    params: Params
    stats: Stats
    extra_info: dict[str, str]


class MachineInfo(msgspec.Struct):
    """The machine, as pytest-benchmark describes it, and its processor, as py-cpuinfo does."""

    cpu: dict[str, Any]
    system: str
    release: str
    python_version: str


class File(msgspec.Struct):
    """The parts of the file that are read."""

    benchmarks: list[Entry]
    machine_info: MachineInfo
    commit_info: Commit
    datetime: dt.datetime

    def metadata(self) -> Metadata:
        """Return what the file says of the machine."""
        machine = self.machine_info
        return Metadata(
            run=Options(),
            machine=Machine(
                cpu=machine.cpu.get("brand_raw", UNKNOWN),
                cores=machine.cpu.get("count"),
                system=f"{machine.system} {machine.release}",
            ),
            versions={"python": machine.python_version},
            commit=self.commit_info,
        )

    def records(self) -> pa.Table:
        """Return the tests as records.

        Each single time becomes a turn. The file does not say which turns ran side by side, so the first of each test
        share a block, and so on.
        """
        began = self.datetime.astimezone(dt.UTC)
        digest = hashlib.sha256(msgspec.json.encode(self)).hexdigest()
        run_id = f"{began:%Y%m%dT%H%M%S}-{digest[:8]}"
        rows = []
        for entry in self.benchmarks:
            benchmark = Benchmark.parse(entry.params.case)
            times = entry.stats.data or [entry.stats.median]
            row = {
                "schema_version": SCHEMA_VERSION,
                "run_id": run_id,
                "implementation": entry.params.implementation,
                "track": UNKNOWN,
                "versions": UNKNOWN,
                **problem_fields(benchmark.problem),
                "workload": benchmark.workload,
                "mode": benchmark.mode,
                "device": entry.extra_info.get("device", UNKNOWN),
                "replicate": 0,
                "status": "ok",
                "seconds": entry.stats.median,
                "turns": [{"block": block, "seconds": time} for block, time in enumerate(times)],
            }
            rows.append(row)
        return pa.Table.from_pylist(rows, schema=SCHEMA)
