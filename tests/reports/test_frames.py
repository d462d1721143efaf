"""Reading: every form of a run gives the same tidy records, and what is no run is refused in one line."""

import json
import os

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.metadata import Metadata
from benchmarks.options import Options
from benchmarks.processors import Machine
from benchmarks.record import SCHEMA, SCHEMA_VERSION, read_records
from reports import frames
from reports.summary import summarise
from tests.helpers.records import DATA, ENVIRONMENT, SMALL, V2, record, refused, save


@pytest.mark.parametrize("version", [1, SCHEMA_VERSION])
def test_a_file_of_the_oldest_schema_version_reads_as_the_newest_does(version):
    run = frames.read_run(DATA / f"records-v{version}.parquet")
    assert set(run.records["schema_version"]) == {version}
    assert run.turns["gpu_throttled"].isna().all() == (version < 6)
    found = summarise(run).set_index("implementation")
    assert found.loc["jax_scan", "ratio"] == pytest.approx(2.4, 0.1)
    assert found.loc["torch_lstm", "verdict"] == "baseline"


EPYC = Machine(cpu="AMD EPYC", family=26, model=2, stepping=1, instructions=("AVX-512",))


@pytest.mark.parametrize("other", [{"family": 25}, {"gpu": "H100", "gpu_driver": "570.1"}])
def test_processors_of_one_name_are_two_machines(other):
    """Two were called "AMD EPYC": 211 GFLOP/s on one, 490 on the other."""

    def label(**machine):
        return frames.machine_label(Metadata(machine=msgspec.structs.replace(EPYC, **machine), run=Options(threads=2)))

    assert label() == label(system="Linux 7") != label(**other)
    assert label(gpu="H100", gpu_driver="570.1") == label(gpu="H100", gpu_driver="580.2")  # a driver is like a version


def test_a_newer_schema_is_refused(tmp_path):
    with pytest.raises(frames.Unreadable, match=f"schema version 99; this version reads up to {SCHEMA_VERSION}"):
        save(tmp_path / "run", [record("base", 0, 1e-3, schema_version=99)])


def test_what_is_read_is_what_was_written():
    """Against pyarrow's own reading into plain Python."""
    run, plain = frames.read_run(V2), read_records(V2)
    for name in SCHEMA.names:
        if name != "turns":
            assert [value for value in run.records[name] if value is not None and value == value] == [
                getattr(row, name) for row in plain if getattr(row, name) is not None
            ], name
    flat = [(k, turn.block, turn.seconds) for k, row in enumerate(plain) for turn in row.turns]
    assert list(run.turns[["record", "block", "seconds"]].itertuples(index=False, name=None)) == flat


def test_pandas_own_files_read_too(tmp_path):
    """Whoever filters records with pandas and saves them gets other types of words."""
    pq.read_table(V2).to_pandas().astype({"mode": "category"}).to_parquet(tmp_path / "saved.parquet")
    pd.testing.assert_frame_equal(
        summarise(frames.read_run(tmp_path / "saved.parquet")), summarise(frames.read_run(V2)), check_dtype=False
    )


def test_a_parquet_file_alone_knows_only_its_records(tmp_path):
    run = frames.read_run(V2)
    assert (run.run_id, run.baseline, run.metadata.run.replicates, run.metadata.run.blocks) == (
        "20261124T190533-b1085af4", "torch_lstm", 2, 3,
    )  # fmt: skip
    assert run.metadata.machine.cpu == "unknown"


@pytest.mark.timeout(60)
def test_all_that_can_be_read_is_and_each_other_has_its_line(tmp_path):
    for name in ("good", "lost", "mixed", "again"):
        save(tmp_path / name, SMALL)
    (tmp_path / "empty.parquet").touch()
    (tmp_path / "half.parquet").write_bytes(V2.read_bytes()[:5000])
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "foreign.parquet")
    pq.write_table(pq.read_table(V2).slice(0, 0), tmp_path / "none.parquet")
    (tmp_path / "lost" / "results.parquet").unlink()
    other = {**ENVIRONMENT, "run": {**ENVIRONMENT["run"], "run_id": "another"}}
    (tmp_path / "mixed" / "environment.json").write_text(json.dumps(other))
    (tmp_path / "nothing").mkdir()
    os.mkfifo(tmp_path / "pipe.parquet")
    os.mkfifo(tmp_path / "pipe.json")
    wrong = {
        "empty.parquet": "not a readable Parquet file",
        "half.parquet": "not a readable Parquet file",
        "foreign.parquet": "holds no benchmark records",
        "none.parquet": "holds no record",
        "lost": "results.parquet does not exist",
        "mixed": "its rows are of r, and not of another",
        "nothing": "no environment.json",
        "missing": "does not exist",
        "missing.json": "does not exist",
        "pipe.parquet": "is not a regular file",
        "pipe.json": "pipe.json is ",
        "x" * 300: "",
        "a\0b": "",
        "again": f"is the same run as {tmp_path / 'good'}: r",
    }
    runs, errors = frames.read_runs([tmp_path / name for name in ["good", *wrong]])
    assert [run.folder.name for run in runs] == ["good"]
    for (name, message), error in zip(wrong.items(), errors, strict=True):
        assert message in str(error), name
        assert "\n" not in str(error)


def without(path):
    """ENVIRONMENT, but for one key."""
    copy = json.loads(json.dumps(ENVIRONMENT))
    *outer, last = path.split(".")
    part = copy
    for name in outer:
        part = part[name]
    del part[last]
    return copy


@pytest.mark.parametrize("left_out", ["machine", "versions", "commit.id", "matmul_precision", "run.seed"])
def test_what_an_environment_does_not_say_is_unknown(left_out, tmp_path):
    save(tmp_path, SMALL)
    (tmp_path / "environment.json").write_text(json.dumps(without(left_out)))
    assert frames.read_run(tmp_path).baseline == "base"


@pytest.mark.parametrize(("names", "baseline"), [(("a", "torch_lstm"), "torch_lstm"), (("b", "a"), "b")])
def test_a_run_that_names_no_baseline_has_the_usual_one(names, baseline, tmp_path):
    save(tmp_path, [record(name, 0, 1e-3) for name in names])
    (tmp_path / "environment.json").write_text(json.dumps(without("run.baseline")))
    assert frames.read_run(tmp_path).baseline == baseline


def test_a_column_of_another_type_is_refused(tmp_path):
    found = pq.read_table(V2)
    words = found.set_column(found.column_names.index("seconds"), "seconds", pa.array(["fast"] * 4))
    pq.write_table(words, tmp_path / "wrong.parquet")
    assert "wrong.parquet: Failed to parse" in refused(tmp_path / "wrong.parquet")


@pytest.mark.parametrize("name", [*frames.FULL, "seconds"])
def test_a_record_that_lacks_a_value_is_refused(name, tmp_path):
    found = pq.read_table(V2)
    column = pa.array([None, *found[name].to_pylist()[1:]], found.schema.field(name).type)
    pq.write_table(found.set_column(found.column_names.index(name), name, column), tmp_path / "less.parquet")
    assert "lacks a value" in refused(tmp_path / "less.parquet")


def test_a_record_that_is_there_twice_is_refused(tmp_path):
    """With two of each, intervals would be too narrow."""
    pq.write_table(pa.concat_tables([pq.read_table(V2)] * 2), tmp_path / "twice.parquet")
    assert "is there twice" in refused(tmp_path / "twice.parquet")


def test_a_file_without_a_column_that_is_needed_is_refused_and_others_may_be_missing(tmp_path):
    for name in frames.NEEDED:
        pq.write_table(pq.read_table(V2).drop_columns([name]), tmp_path / "less.parquet")
        assert f"it has no column {name}" in refused(tmp_path / "less.parquet")
    pq.write_table(pq.read_table(V2).drop_columns(["cores_used", "error_tensor"]), tmp_path / "old.parquet")
    run = frames.read_run(tmp_path / "old.parquet")
    assert run.records[["cores_used", "error_tensor"]].isna().all(axis=None)
    assert summarise(run)["ratio"].notna().all()


@pytest.mark.process
def test_the_json_of_pytest_benchmark_is_read_and_other_json_is_not(tmp_path, python):
    path, case = tmp_path / "own.json", "t64-b1-i128-h128/sequence/forward"
    chosen = f"(torch_lstm or torch_cell) and not torch_lstmcell and not compiled and {case} and not train"
    words = ("-q", "-k", chosen, "--benchmark-max-time", "0.01", f"--benchmark-json={path}", "-p", "no:cacheprovider")
    done = python("pytest", "benchmarks", *words)
    assert done.returncode == 0, done.stdout
    run = frames.read_run(path)
    content = json.loads(path.read_text())
    medians = [entry["stats"]["median"] for entry in content["benchmarks"]]
    assert run.records["seconds"].to_list() == medians
    assert run.metadata.machine.cpu == content["machine_info"]["cpu"]["brand_raw"]
    found = summarise(run).set_index("implementation").loc["torch_cell"]
    times = {entry["params"]["implementation"]: entry["stats"]["data"] for entry in content["benchmarks"]}
    in_turn = [cell / lstm for cell, lstm in zip(times["torch_cell"], times["torch_lstm"], strict=False)]
    assert found["ratio"] == pytest.approx(np.exp(np.median(np.log(in_turn))))
    assert found["verdict"] == "unclear", "one replicate"
    content["benchmarks"][0]["params"].pop("implementation")
    path.write_text(json.dumps(content))
    assert "benchmarks[0].params" in refused(path)
