"""The files of a finished run: results.parquet, results.json in pytest-benchmark's format, environment.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info
from pytest_benchmark.stats import Stats
from pytest_benchmark.utils import get_commit_info

from benchmarks.record import Record, benchmark_id, write_records
from impls.core.files import write_text


def pytest_benchmark_json(records: Sequence[Record], environment: Mapping[str, Any]) -> dict[str, Any]:
    """One entry per implementation and benchmark; its data are the medians of all turns, in seconds per call.

    The statistics are pytest-benchmark's own. Rows that are not ok have no entry: the format has no place for them.
    """
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record["status"] == "ok":
            benchmark = benchmark_id(record)
            groups.setdefault((benchmark, record["implementation"]), []).append(record)
    entries = []
    for (benchmark, implementation), rows in groups.items():
        stats = Stats()
        for row in rows:
            for turn in row["turns"]:
                stats.update(turn["seconds"])
        name = f"test_lstm[{implementation}-{benchmark.replace('/', '-')}]"
        first = rows[0]
        kept = ("track", "versions", "digest", "device", "threads", "error", "first_call_seconds", "calls_per_sample")
        entries.append(
            {
                "group": benchmark,
                "name": name,
                "fullname": f"benchmarks/bench_lstm.py::{name}",
                "params": {"implementation": implementation, "benchmark": benchmark},
                "param": f"{implementation}-{benchmark.replace('/', '-')}",
                "extra_info": {field: first[field] for field in kept} | {"replicates": len(rows)},
                "options": {"disable_gc": True, "timer": "perf_counter", "warmup": True},
                "stats": {**stats.as_dict(), "data": stats.data, "iterations": 1},
            }
        )
    return {
        "machine_info": pytest_benchmark_generate_machine_info(),
        "commit_info": get_commit_info(None),
        "environment": environment,
        "benchmarks": entries,
        "datetime": datetime.now(UTC).isoformat(),
        "version": metadata.version("pytest-benchmark"),
    }


def write_all(folder: Path, records: Sequence[Record], environment: Mapping[str, Any]) -> None:
    """Write the three files, each whole or not at all."""
    write_text(folder / "environment.json", json.dumps(environment, indent=1) + "\n")
    write_records(folder / "results.parquet", records)
    write_text(folder / "results.json", json.dumps(pytest_benchmark_json(records, environment), indent=1) + "\n")
