"""The row of a result: implementation × problem × workload × mode × device × replicate, with its provenance.

Schema versions
    1  2026-11: the first
    2  2026-11: turns have pressure_seconds
    3  2026-11: rows have input_seed; turns have inputs, first_seconds, read_seconds, reread_seconds,
       outside_seconds and outside_cpu_seconds
    4  2026-11: rows have lengths
    5  2026-11: rows have kernel
    6  2026-11: turns have gpu_hertz, gpu_celsius, gpu_joules, gpu_throttled and gpu_others
    7  2026-11: rows have pipelined_seconds, gpu_seconds and gpu_kernels; turns have flush_seconds
    8  2026-11: turns have no flush_seconds and no gpu_joules
    9  2026-11: rows have even, proj_size, batch_first, dropout, resets and warning; turns have p99_seconds
       and largest_seconds
   10  2026-11: rows have no base_bytes; turns have no involuntary_switches, steal_seconds, first_seconds,
       read_seconds and reread_seconds

A new column alone needs no new version: in older files it is null, and an older reader leaves it out.
"""

import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.worker.timing import Int32, Turn
from impls.core.files import read_regular, write_whole
from impls.core.problem import Problem

SCHEMA_VERSION = 10
RESULTS = "results.parquet"
"""The file of a run's folder that holds its records."""
MOST_BYTES = 2**28
"""The largest file of records that is read."""
UNTRUE = ("disagrees", "error")
"""The statuses of a wrong result. They count before others, and not even the first call has a time then."""


class Record(msgspec.Struct, kw_only=True):
    """A row. Its fields are the columns of results.parquet; what is not known is None.

    Only the records of a regression have side (base or head).
    """

    side: str | None = None
    schema_version: Int32 = SCHEMA_VERSION
    run_id: str
    implementation: str
    track: str | None = None
    # of the environment that the worker runs in; last its Python, but not before 2026-12
    versions: str | None = None
    digest: str | None = None  # of the implementation's file and what it imports from families/
    problem: str
    seq_len: Int32 | None = None
    batch: Int32 | None = None
    input_size: Int32 | None = None
    hidden_size: Int32 | None = None
    num_layers: Int32 | None = None
    bidirectional: bool | None = None
    bias: bool | None = None
    dtype: str | None = None
    lengths: bool | None = None  # whether each row of the batch has its own
    even: bool | None = None  # whether all those lengths are seq_len
    proj_size: Int32 | None = None  # 0 where h is not projected
    batch_first: bool | None = None
    # whether half of what goes from layer to layer is dropped in training
    dropout: bool | None = None
    resets: bool | None = None  # whether each row starts anew at a step
    # whether it was prepared for another batch, or number of steps, than its calls have
    any_batch: bool | None = None
    any_length: bool | None = None
    workload: str
    mode: str
    device: str | None = None
    threads: Int32 | None = None
    replicate: Int32
    input_seed: int | None = None  # of this replicate's inputs
    status: str = "ok"
    reason: str | None = ""
    error: float | None = None  # the largest error against the reference
    error_tensor: str | None = None
    # what takes the most time of a call: see benchmarks/worker/profiles.py
    kernel: str | None = None
    # the first that Python gave as it was prepared and called first in its process
    warning: str | None = None
    first_call_seconds: float | None = None  # cold: with an empty compile cache
    warm_first_call_seconds: float | None = None  # in this replicate's fresh process
    seconds: float | None = None  # of a call: the median over turns
    cores_used: float | None = None  # CPU seconds per second, the median over turns
    peak_bytes: int | None = None  # peak RSS above what was before this benchmark was opened
    # of a call on a GPU, where many are submitted with a single wait
    pipelined_seconds: float | None = None
    gpu_seconds: float | None = None  # in which the GPU works for a call, by CUPTI
    gpu_kernels: float | None = None  # that the GPU runs for a call
    calls_per_sample: Int32 | None = None
    turns: list[Turn] | None = None

    @property
    def benchmark(self) -> str:
        """The id of its Benchmark, such as `t64-b16-i128-h128/sequence/forward`."""
        return f"{self.problem}/{self.workload}/{self.mode}"

    @property
    def is_peak(self) -> bool:
        """Whether it is a row of this suite's peak, which computes no LSTM."""
        return self.track == "peak"

    def fail(self, status: str, reason: str | None) -> None:
        """Make this the row of a failure. What failed has no time: nothing of what was measured stays."""
        self.status = status
        self.reason = reason
        for name in MEASURED:
            setattr(self, name, None)
        if status in UNTRUE:
            self.first_call_seconds = None


MEASURED = Record.__struct_fields__[Record.__struct_fields__.index("warm_first_call_seconds") :]
"""The columns of what a replicate has measured: that one, and all after it."""


def withdraw(rows: Iterable[Record]) -> None:
    """Give all rows of an arm the failure that it had at a benchmark in any replicate: see Record.fail."""
    arms: dict[tuple[str | None, str, str], list[Record]] = {}
    for row in rows:
        arms.setdefault((row.side, row.implementation, row.benchmark), []).append(row)
    for of_arm in arms.values():
        failed = [row for row in of_arm if row.status != "ok"]
        if failed:
            first = max(failed, key=lambda row: row.status in UNTRUE)
            for row in of_arm:
                row.fail(first.status, first.reason)


SIMPLE = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
"""The Arrow type of each simple type."""


def _arrow(kind: Any) -> pa.DataType:
    """Return the Arrow type of an annotation. `| None` adds nothing: every column may be null."""
    if kind in SIMPLE:
        return SIMPLE[kind]
    if kind is Turn:
        return pa.struct(columns(Turn))
    if typing.get_origin(kind) is Annotated:
        return pa.type_for_alias(kind.__metadata__[0].extra["arrow"])
    inner = _arrow(typing.get_args(kind)[0])
    return pa.list_(inner) if typing.get_origin(kind) is list else inner


def columns(kind: type[msgspec.Struct]) -> list[tuple[str, pa.DataType]]:
    """Return the name and the Arrow type of each field."""
    return [
        (name, _arrow(hint))
        for name, hint in typing.get_type_hints(kind, include_extras=True).items()
    ]


TURN = _arrow(Turn)
COMPARED = pa.schema(columns(Record))
"""The columns of a regression's records."""
SCHEMA = COMPARED.remove(COMPARED.get_field_index("side"))
"""The columns of a run's records."""


def harmless(gpu: str | None) -> tuple[str, ...]:
    """Return the statuses with which a run still exits with 0; no_device is a fault where the driver sees a GPU."""
    return ("ok", "unsupported", "not_installed", *(() if gpu else ("no_device",)))


def problem_fields(problem: Problem) -> dict[str, Any]:
    """Return the fields of a record that a Problem fills."""
    return {"problem": problem.id, **vars(problem)}


def write_records(path: Path, records: Iterable[Record], schema: pa.Schema = SCHEMA) -> None:
    """Write a Parquet file of records, whole or not at all; None becomes null. Each of its pages has a checksum."""
    rows = [msgspec.to_builtins(record) for record in records]
    table = pa.Table.from_pylist(rows, schema=schema)
    options = {
        "compression": "zstd",
        "compression_level": 9,
        "write_page_checksum": True,
        "use_dictionary": False,  # smaller by a quarter without, and without statistics
        "write_statistics": False,
    }
    write_whole(path, lambda temporary: pq.write_table(table, temporary, **options))


def read_records(path: Path) -> list[Record]:
    """Read what write_records wrote, of any schema version.

    Raises:
        ValueError: where the file holds no records, or others than were written. One line, which names the file.
    """
    content = pa.BufferReader(read_regular(path, MOST_BYTES))
    try:
        return msgspec.convert(
            pq.read_table(content, page_checksum_verification=True).to_pylist(), list[Record]
        )
    except Exception as error:  # pyarrow raises a dozen kinds
        raise ValueError(f"{path} holds no records ({' '.join(str(error).split())})") from None
