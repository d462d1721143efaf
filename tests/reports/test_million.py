"""A million records: read and summarised in seconds, within 1 GiB, and right."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.record import SCHEMA, SCHEMA_VERSION, STATUSES, TURN
from tests.helpers.processes import ROOT
from tests.helpers.records import ENVIRONMENT

PROBLEMS = [f"t{seq_len}-b16-i128-h128" for seq_len in range(1, 21)]
PAIRS = [(workload, f"mode{k}") for workload in ("sequence", "model") for k in range(5)]
IMPLEMENTATIONS = ["base", *(f"impl{k}" for k in range(1, 19)), "peak"]
REPLICATES = 250
SHAPE = (len(PROBLEMS), len(PAIRS), len(IMPLEMENTATIONS), REPLICATES)
RECORDS = int(np.prod(SHAPE))
TRUTH = {name: 1 + 0.05 * k for k, name in enumerate(IMPLEMENTATIONS)}
"""Each implementation's time, as a multiple of the first's."""
NOISE = 0.01
LIMIT_BYTES = 2**30

MEASURED = """
import json, sys, time
from pathlib import Path
started = time.perf_counter()
from reports import frames
from reports.summary import summarise
imported = time.perf_counter()
run = frames.read_run(Path(sys.argv[1]))
read = time.perf_counter()
summary = summarise(run)
done = time.perf_counter()
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
columns = ["implementation", "ratio", "ratio_low", "ratio_high", "ratio_n", "seconds"]
print(json.dumps({
    "records": len(run.records),
    "turns": len(run.turns),
    "seconds": {"import": imported - started, "read": read - imported, "summarise": done - read},
    "peak_bytes": 1024 * int(status["VmHWM"].split()[0]),
    "summary": summary[columns].to_dict("list"),
}))
"""


def along(values, axis):
    """A column that changes along one of SHAPE's axes."""
    numbers = np.arange(SHAPE[axis], dtype=np.int32).reshape([-1 if k == axis else 1 for k in range(len(SHAPE))])
    words = pa.array(values) if len(values) else None
    flat = np.broadcast_to(numbers, SHAPE).ravel()
    return pa.array(flat) if words is None else pa.DictionaryArray.from_arrays(flat, words).cast(pa.string())


def million(rng):
    """Records of a machine whose speed wanders from replicate to replicate, by 20 %, under all arms alike."""
    logs = np.log([*TRUTH.values()])[:, None] + rng.normal(0, 0.2, (*SHAPE[:2], 1, REPLICATES))
    turns = 1e-3 * np.exp(np.repeat(logs.ravel(), 2) + rng.normal(0, NOISE, 2 * RECORDS))
    offsets = pa.array(np.arange(0, 2 * RECORDS + 1, 2, dtype=np.int32))
    pairs = pa.array(np.arange(0, 4 * RECORDS + 1, 2, dtype=np.int32))
    fields = {
        **{name: pa.nulls(2 * RECORDS, pa.int32()) for name in ("inputs", "gpu_throttled", "gpu_others")},
        "block": pa.array(np.zeros(2 * RECORDS, np.int32)),
        "position": pa.array(np.tile(np.array([0, 1], np.int32), RECORDS)),
        "samples": pa.ListArray.from_arrays(pairs, pa.array(np.repeat(turns, 2))),
        "involuntary_switches": pa.array(np.zeros(2 * RECORDS, np.int64)),
    }
    known = [fields.get(field.name, pa.array(turns)) for field in TURN]
    known_columns = {
        "schema_version": SCHEMA_VERSION,
        "run_id": ENVIRONMENT["run"]["run_id"],
        "status": STATUSES[0],
        "dtype": "float32",
        "device": "cpu",
        "problem": along(PROBLEMS, 0),
        "workload": along([workload for workload, _ in PAIRS], 1),
        "mode": along([mode for _, mode in PAIRS], 1),
        "implementation": along(IMPLEMENTATIONS, 2),
        "track": along(["default"] * 10 + ["tuned"] * 9 + ["peak"], 2),
        "replicate": along([], 3),
        "seconds": pa.array(turns.reshape(-1, 2).mean(axis=1)),
        "turns": pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(known, fields=list(TURN))),
    }
    rest = {"string": "", "bool": True, "double": 1e-7}
    columns = []
    for field in SCHEMA:
        value = known_columns.get(field.name, rest.get(str(field.type), 1))
        columns.append(value if isinstance(value, pa.Array) else pa.repeat(pa.scalar(value, field.type), RECORDS))
    return pa.table(columns, schema=SCHEMA)


@pytest.mark.nightly
def test_a_million_records_are_read_and_summarised_within_1_gib(tmp_path, capsys):
    assert RECORDS == 1_000_000
    pq.write_table(million(np.random.default_rng(0)), tmp_path / "results.parquet", compression="zstd")
    (tmp_path / "environment.json").write_text(json.dumps(ENVIRONMENT))
    command = [sys.executable, "-c", MEASURED, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with capsys.disabled():
        seconds = ", ".join(f"{name} {value:.2f} s" for name, value in found["seconds"].items())
        print(f"\n{found['records']} records: {seconds}; peak {found['peak_bytes'] / 2**20:.0f} MiB")
    assert (found["records"], found["turns"]) == (RECORDS, 2 * RECORDS)
    assert found["peak_bytes"] <= LIMIT_BYTES

    summary = {name: np.array(values) for name, values in found["summary"].items()}
    assert len(summary["ratio"]) == RECORDS / REPLICATES * (len(IMPLEMENTATIONS) - 1) / len(IMPLEMENTATIONS)  # no peak
    truth = np.array([TRUTH[name] for name in summary["implementation"]])
    others = summary["implementation"] != "base"
    assert (summary["ratio_n"][others] == REPLICATES).all()
    # a ratio is the mean of 250 logs, each the difference of two means of two: its standard error is 0.06 %
    np.testing.assert_allclose(summary["ratio"], truth, rtol=5 * NOISE / REPLICATES**0.5)
    held = (summary["ratio_low"] <= truth) & (truth <= summary["ratio_high"])
    assert 0.93 <= held[others].mean() <= 0.97
    # the times themselves wander, and tell far less
    assert np.abs(np.log(summary["seconds"] / (1e-3 * truth))).max() > 5 * NOISE / REPLICATES**0.5
