"""The row of a result: implementation × problem × workload × mode × device × replicate, with its provenance.

Schema versions
    1  2026-11: the first
    2  2026-11: turns have pressure_seconds
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from impls.files import write_whole

SCHEMA_VERSION = 2
STATUSES = (
    "ok",
    "disagrees",
    "unsupported",
    "not_installed",
    "out_of_memory",
    "crashed",
    "timed_out",
    "error",
)
HARMLESS = ("ok", "unsupported", "not_installed")
"""Statuses that do not make a run's exit code 1."""

TURN = pa.struct(
    [
        ("block", pa.int32()),
        ("position", pa.int32()),  # in the block's order of turns
        ("started", pa.float64()),  # seconds since the epoch
        ("seconds", pa.float64()),  # of one call: the median of the samples
        ("samples", pa.list_(pa.float64())),  # seconds per call
        ("wall_seconds", pa.float64()),
        ("cpu_seconds", pa.float64()),
        ("involuntary_switches", pa.int64()),
        ("steal_seconds", pa.float64()),  # of the whole machine, meanwhile
        ("pressure_seconds", pa.float64()),  # in which something waited for a processor, meanwhile
    ]
)

SCHEMA = pa.schema(
    [
        ("schema_version", pa.int32()),
        ("run_id", pa.string()),
        ("implementation", pa.string()),
        ("track", pa.string()),
        ("versions", pa.string()),
        ("digest", pa.string()),  # of the implementation's file
        ("problem", pa.string()),
        ("seq_len", pa.int32()),
        ("batch", pa.int32()),
        ("input_size", pa.int32()),
        ("hidden_size", pa.int32()),
        ("num_layers", pa.int32()),
        ("bidirectional", pa.bool_()),
        ("bias", pa.bool_()),
        ("dtype", pa.string()),
        ("workload", pa.string()),
        ("mode", pa.string()),
        ("device", pa.string()),
        ("threads", pa.int32()),
        ("replicate", pa.int32()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("error", pa.float64()),  # largest disagreement with the oracle
        ("error_tensor", pa.string()),
        ("first_call_seconds", pa.float64()),  # cold: with an empty compile cache
        ("warm_first_call_seconds", pa.float64()),  # of this replicate's fresh process
        ("seconds", pa.float64()),  # of one call: the median over turns
        ("cores_used", pa.float64()),  # CPU seconds per second, the median over turns
        ("base_bytes", pa.int64()),  # resident once the frameworks were imported
        ("peak_bytes", pa.int64()),  # peak resident above what was before this benchmark was opened
        ("calls_per_sample", pa.int32()),
        ("turns", pa.list_(TURN)),
    ]
)

COMPARED = pa.schema([("side", pa.string()), ("phase", pa.string()), *SCHEMA])
"""A regression's records: whose, base's or head's, and of the screen or confirming."""

Record = dict[str, Any]


def problem_fields(problem: Any) -> Record:
    """The columns that a Problem fills."""
    names = ("seq_len", "batch", "input_size", "hidden_size", "num_layers", "bidirectional", "bias", "dtype")
    return {"problem": problem.id, **{name: getattr(problem, name) for name in names}}


def new_run_id() -> str:
    """Such as `20261124T190533-b1085af4`: the time in UTC, by which runs are put in order, and a few random digits."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"


def benchmark_id(record: Mapping[str, Any]) -> str:
    """The id of its Benchmark, such as `t64-b16-i128-h128/sequence/forward`."""
    return f"{record['problem']}/{record['workload']}/{record['mode']}"


def blank(implementation: Any, benchmark: Any, admission: Any, **known: Any) -> Record:
    """A record before it is measured: what its Implementation, Benchmark and Admission say, and what else is known."""
    return {
        "implementation": implementation.name,
        "track": implementation.track,
        "digest": implementation.digest,
        **problem_fields(benchmark.problem),
        "workload": benchmark.workload,
        "mode": benchmark.mode,
        "status": admission.status,
        "reason": admission.reason,
        "error": admission.error,
        "error_tensor": admission.error_tensor,
        "first_call_seconds": admission.first_call_seconds,
        **known,
    }


def write_records(path: Path, records: Iterable[Mapping[str, Any]], schema: pa.Schema = SCHEMA) -> None:
    """A Parquet file of records, whole or not at all; a column that a record lacks is null."""
    rows = [{"schema_version": SCHEMA_VERSION, **record} for record in records]
    unknown = {name for row in rows for name in row} - set(schema.names)
    if unknown:
        raise ValueError(f"not columns of a record: {', '.join(sorted(unknown))}")
    table = pa.Table.from_pylist(rows, schema=schema)
    write_whole(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))


def read_records(path: Path) -> list[Record]:
    """What write_records wrote."""
    return pq.read_table(path).to_pylist()  # type: ignore[no-any-return]
