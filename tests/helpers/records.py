"""Records that tests make up, and the run that they are saved as."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.cases import PUBLISHED as PUBLISHED_PROBLEMS
from benchmarks.record import SCHEMA, SCHEMA_VERSION
from reports import code_age, frames
from tests.helpers.processes import ROOT

PUBLISHED = sorted(path.parent for path in (ROOT / "reports" / "published").glob("*/results.parquet"))
"""The folders of the published runs, the oldest first."""
DATA = ROOT / "tests" / "data"
"""Records of a published run, cut down to two implementations, replicates and samples, in old schema versions."""
V2 = DATA / "records-v2.parquet"

ENVIRONMENT = {
    "machine": {"cpu": "a cpu", "cores": 2, "memory_bytes": 2**34, "gpu": None, "system": "Linux"},
    "versions": {"python": "3.11"},
    "commit": {"id": "0" * 40, "dirty": False},
    "matmul_precision": "full",
    "run": {"baseline": "base", "threads": 2, "replicates": 2, "blocks": 2, "seed": 0, "run_id": "r"},
}


def record(name: str, replicate: int, seconds: float | None, **changes: Any) -> dict[str, Any]:
    """A record of two blocks, each of two turns that take as long as the record says."""
    turn = {
        "started": 0.0,
        "seconds": seconds,
        "samples": [seconds],
        "wall_seconds": 0.0,
        "cpu_seconds": 0.0,
        "pressure_seconds": 0.0,
    }
    sizes = dict.fromkeys(("seq_len", "batch", "input_size", "hidden_size", "num_layers"), 1)
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": "r",
        "implementation": name,
        "track": "default",
        "versions": "torch 2",
        "digest": code_age.digests().get(name, "d"),
        "problem": "p",
        **sizes,
        "bidirectional": False,
        "bias": True,
        "dtype": "float32",
        "workload": "w",
        "mode": "m",
        "device": "cpu",
        "threads": 2,
        "replicate": replicate,
        "status": "ok",
        "reason": "",
        "error": 1e-7,
        "first_call_seconds": 0.1,
        "seconds": seconds,
        "cores_used": 1.0,
        "peak_bytes": 2**20,
        "turns": [{**turn, "block": block, "position": k} for block in (0, 1) for k in (0, 1)],
        **changes,
    }


def failed(name: str, replicate: int, status: str, reason: str, **changes: Any) -> dict[str, Any]:
    """A record without a time."""
    return record(name, replicate, None, **{"status": status, "reason": reason, "turns": None, **changes})


def trained(name: str, seconds: float, mode: str = "train_step", **changes: Any) -> list[dict[str, Any]]:
    """Four replicates of a sequence that differ a little."""
    where = {"workload": "sequence", "mode": mode, **changes}
    return [record(name, replicate, seconds * (1 + 0.001 * replicate), **where) for replicate in range(4)]


def write(path: Path, records: list[dict[str, Any]]) -> None:
    """Write results.parquet as a run does, whatever values the records have."""
    rows = [{name: row.get(name) for name in SCHEMA.names} for row in records]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)


def save(folder: Path, records: list[dict[str, Any]], run_id: str | None = None, **machine: Any) -> frames.Run:
    """Write a run's folder, and read it; the machine may differ from that of ENVIRONMENT."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "results.parquet", records)
    run = {**ENVIRONMENT["run"], **({"run_id": run_id} if run_id else {})}
    (folder / "environment.json").write_text(
        json.dumps({**ENVIRONMENT, "machine": ENVIRONMENT["machine"] | machine, "run": run})
    )
    return frames.read_run(folder)


def publishable(folder: Path, change: Callable[[dict[str, Any]], object] = id, **machine: Any) -> Path:
    """The folder of a run that can be published: of two LSTMs, whose records `change` may have changed, or left out."""
    rows = [
        row
        for problem in PUBLISHED_PROBLEMS
        for mode in ("forward", "train_step")
        for name, seconds in (("torch_lstm", 1e-3), ("jax_scan", 2e-3))
        for row in trained(name, seconds, mode, problem=problem, run_id="20260101T000000-r")
    ]
    rows = [row for row in rows if change(row) is not False]
    known = {"family": 25, "model": 1, "instructions": ["AVX2"]} | machine
    environment = json.loads((save(folder, rows, rows[0]["run_id"], **known).folder / "environment.json").read_text())
    environment["run"] |= {"baseline": "torch_lstm", "replicates": 4, "implementations": ["torch_lstm", "jax_scan"]}
    (folder / "environment.json").write_text(json.dumps(environment))
    return folder


SMALL = [record(name, replicate, s) for name, s in (("base", 1e-3), ("other", 2e-3)) for replicate in (0, 1)]
"""The records of a small run."""


def refused(path: Path) -> str:
    """The one line that says why a run can't be read."""
    with pytest.raises(frames.Unreadable) as caught:
        frames.read_run(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def spread_out(folder: Path, **levels: tuple[float, float]) -> frames.Run:
    """Write and read a run of four replicates. A level is a mean time, and the relative step from one to the next."""
    rows = []
    for name, (seconds, step) in levels.items():
        rows += [record(name, replicate, seconds * (1 + step * (replicate - 1.5))) for replicate in range(4)]
    return save(folder, rows)


def described(run: frames.Run, /, **changes: Any) -> frames.Run:
    """The same run with other metadata."""
    return dataclasses.replace(run, metadata=msgspec.structs.replace(run.metadata, **changes))


def with_baseline(run: frames.Run, baseline: str) -> frames.Run:
    """The same run with another baseline."""
    return described(run, run=msgspec.structs.replace(run.metadata.run, baseline=baseline))
