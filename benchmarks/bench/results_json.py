"""results.json: a run in the format of pytest-benchmark."""

from datetime import UTC, datetime
from importlib import metadata as distributions
from typing import Any

import msgspec
from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info
from pytest_benchmark.stats import Stats
from pytest_benchmark.utils import get_commit_info

from benchmarks.bench.rounds import SavedRun
from benchmarks.record import Record

FIELDS = (
    "track", "versions", "digest", "device", "threads", "error", "first_call_seconds", "calls_per_sample",
)  # fmt: skip
"""The fields of a record that results.json adds to each benchmark."""


def pytest_benchmark_json(run: SavedRun) -> dict[str, Any]:
    """Return an entry per implementation and benchmark. Its data are the medians of all turns, in seconds per call.

    The statistics are pytest-benchmark's own. Rows that are not ok have no entry: the format has no field for them.
    """
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in run.records:
        if record.status == "ok":
            groups.setdefault((record.benchmark, record.implementation), []).append(record)
    entries = []
    for (benchmark, implementation), rows in groups.items():
        stats = Stats()
        for row in rows:
            for turn in row.turns or []:
                stats.update(turn.seconds)
        case = f"{implementation}-{benchmark.replace('/', '-')}"
        extra_info = {field: getattr(rows[0], field) for field in FIELDS}
        entries.append(
            {
                "group": benchmark,
                "name": f"test_lstm[{case}]",
                "fullname": f"benchmarks/bench_lstm.py::test_lstm[{case}]",
                "params": {"implementation": implementation, "benchmark": benchmark},
                "param": case,
                "extra_info": {**extra_info, "replicates": len(rows)},
                "options": {"disable_gc": True, "timer": "perf_counter", "warmup": True},
                "stats": {**stats.as_dict(), "data": stats.data, "iterations": 1},
            }
        )
    return {
        "machine_info": pytest_benchmark_generate_machine_info(),
        "commit_info": get_commit_info(None),
        "environment": msgspec.to_builtins(run.described),
        "benchmarks": entries,
        "datetime": datetime.now(UTC).isoformat(),
        "version": distributions.version("pytest-benchmark"),
    }
