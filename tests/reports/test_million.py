"""A million records: read and summarised within 1 GiB, and right."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.record import SCHEMA_VERSION
from tests.helpers.processes import python
from tests.helpers.records import ENVIRONMENT

TRUTH = {"base": 1.0, **{f"impl{k}": 1 + 0.05 * k for k in range(1, 20)}}
"""Each implementation's time, as a multiple of the first's."""
REPLICATES = 250
NOISE = 0.01
MEASURED = """
import json, sys
from pathlib import Path
from reports.frames import read_run
from reports.summary import summarise
summary = summarise(read_run(Path(sys.argv[1])))[["implementation", "ratio", "ratio_low", "ratio_high"]]
status = Path("/proc/self/status").read_text()  # getrusage would count pytest, which has started this process
print(status.partition("VmHWM:")[2].split()[0], json.dumps(summary.to_dict("list")))
"""


@pytest.mark.nightly
def test_a_million_records_are_read_and_summarised_within_1_gib(tmp_path):
    rng = np.random.default_rng(0)
    arms = [[f"t{t}-b16-i128-h128" for t in range(1, 21)], [f"mode{k}" for k in range(10)], TRUTH, range(REPLICATES)]
    index = pd.MultiIndex.from_product(arms, names=["problem", "mode", "implementation", "replicate"])
    assert len(index) == 1_000_000
    # the machine's speed wanders from replicate to replicate, by 20 %, under all arms alike
    logs = np.log([*TRUTH.values()])[:, None] + rng.normal(0, 0.2, (200, 1, REPLICATES))
    turns = 1e-3 * np.exp(np.repeat(logs.ravel(), 2) + rng.normal(0, NOISE, 2 * len(index)))
    same = {"schema_version": SCHEMA_VERSION, "run_id": "r", "status": "ok", "reason": "", "dtype": "float32"}
    same |= {"workload": "sequence", "device": "cpu", "track": "default", "versions": "torch 2"}
    records = index.to_frame(index=False).assign(seconds=turns.reshape(-1, 2).mean(axis=1), **same)
    structs = pa.StructArray.from_arrays([np.zeros(len(turns), np.int32), turns], names=["block", "seconds"])
    lists = pa.ListArray.from_arrays(np.arange(0, len(turns) + 1, 2, dtype=np.int32), structs)
    pq.write_table(pa.Table.from_pandas(records).append_column("turns", lists), tmp_path / "results.parquet")
    (tmp_path / "environment.json").write_text(json.dumps(ENVIRONMENT))
    done = python("-c", MEASURED, tmp_path)
    assert done.returncode == 0, done.stderr
    peak, _, said = done.stdout.partition(" ")
    assert int(peak) <= 2**20  # KiB
    summary = pd.DataFrame(json.loads(said))
    truth = summary["implementation"].map(TRUTH)
    assert len(summary) == len(index) / REPLICATES
    # a ratio is the mean of 250 logs, each the difference of two means of two: its standard error is 0.06 %
    np.testing.assert_allclose(summary["ratio"], truth, rtol=5 * NOISE / REPLICATES**0.5)
    held = (summary["ratio_low"] <= truth) & (truth <= summary["ratio_high"])
    assert 0.93 <= held[truth > 1].mean() <= 0.97
