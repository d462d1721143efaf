"""Reading: every form of a run gives the same tidy records."""

import json
import os
import shutil

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.record import SCHEMA, SCHEMA_VERSION, read_records
from reports import frames, tables
from reports.report import Report
from reports.summary import summarise
from tests.helpers.records import DATA, ENVIRONMENT, QUICK, SMALL, V2, record, refused, save


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_a_file_of_every_schema_version_reads(version):
    run = frames.read_run(DATA / f"records-v{version}.parquet")
    assert set(run.records["schema_version"]) == {version}
    assert run.turns["gpu_throttled"].isna().all() == (version < 6)
    found = summarise(run).set_index("implementation")
    whole = summarise(frames.read_run(QUICK))
    whole = whole[(whole[frames.BENCHMARK] == run.records[frames.BENCHMARK].iloc[0]).all(axis=1)]
    assert found.loc["jax_scan", "ratio"] == pytest.approx(
        whole.set_index("implementation").loc["jax_scan", "ratio"], 0.1
    )


def test_there_is_a_file_of_every_schema_version():
    assert {path.name for path in DATA.glob("records-v*")} == {
        f"records-v{version}.parquet" for version in range(1, SCHEMA_VERSION + 1)
    }


def test_a_newer_schema_is_refused(tmp_path):
    message = f"schema version 99; this version reads up to {SCHEMA_VERSION}"
    with pytest.raises(frames.Unreadable, match=message):
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


def test_a_file_in_many_pieces_reads_as_in_one(tmp_path):
    """Each piece has words of its own, under numbers of its own."""
    whole = pq.read_table(V2)
    pq.write_table(pa.concat_tables([whole.slice(2), whole.slice(0, 2)]), tmp_path / "pieces.parquet", row_group_size=1)
    one, other = frames.read_run(V2), frames.read_run(tmp_path / "pieces.parquet")
    keys = [*frames.KEY, "block"]
    found, same = (
        frames.plain(run.turns.merge(run.records[frames.KEY], left_on="record", right_index=True))
        .drop(columns="record")
        .sort_values(keys, ignore_index=True)
        for run in (one, other)
    )
    pd.testing.assert_frame_equal(found, same)


def test_a_column_that_an_older_version_had_not_is_null(tmp_path):
    pq.write_table(pq.read_table(V2).drop_columns(["cores_used", "error_tensor"]), tmp_path / "old.parquet")
    run = frames.read_run(tmp_path / "old.parquet")
    assert run.records[["cores_used", "error_tensor"]].isna().all(axis=None)
    assert summarise(run)["ratio"].notna().all()


def test_pandas_own_files_read_too(tmp_path):
    """Whoever filters records with pandas and saves them gets other types of words."""
    pq.read_table(V2).to_pandas().astype({"mode": "category"}).to_parquet(tmp_path / "saved.parquet")
    pd.testing.assert_frame_equal(
        summarise(frames.read_run(tmp_path / "saved.parquet")), summarise(frames.read_run(V2)), check_dtype=False
    )


def test_a_parquet_file_alone_says_what_it_does_not_know(tmp_path):
    shutil.copy(V2, tmp_path / "alone.parquet")
    run = frames.read_run(tmp_path / "alone.parquet")
    assert run.run_id == "20261124T190533-b1085af4"
    assert (run.baseline, run.metadata.run.replicates, run.metadata.run.blocks) == ("torch_lstm", 2, 3)
    assert run.metadata.machine.cpu == "unknown"
    assert "unknown" in tables.markdown(Report(run, summarise(run)))


def test_a_parquet_file_in_its_runs_folder_knows_the_environment(tmp_path):
    shutil.copy(QUICK / "environment.json", tmp_path)
    shutil.copy(V2, tmp_path / "some.parquet")
    assert frames.read_run(tmp_path / "some.parquet").metadata.machine.cores == 2
    # of another run, it says nothing
    (tmp_path / "environment.json").write_text(json.dumps(ENVIRONMENT))
    assert frames.read_run(tmp_path / "some.parquet").metadata.machine.cores is None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_truncated_file_is_refused(tmp_path, data):
    whole = V2.read_bytes()
    (tmp_path / "part.parquet").write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert "not a readable Parquet file" in refused(tmp_path / "part.parquet")


def test_all_that_can_be_read_is_and_each_other_has_its_line(tmp_path):
    save(tmp_path / "good", SMALL)
    (tmp_path / "empty.parquet").touch()
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "foreign.parquet")
    pq.write_table(pq.read_table(V2).slice(0, 0), tmp_path / "none.parquet")
    shutil.copytree(tmp_path / "good", tmp_path / "lost")
    (tmp_path / "lost" / "results.parquet").unlink()
    (tmp_path / "nothing").mkdir()
    wrong = {
        "empty.parquet": "not a readable Parquet file",
        "foreign.parquet": "holds no benchmark records",
        "none.parquet": "holds no record",
        "lost": "results.parquet does not exist",
        "nothing": "no environment.json",
        "missing": "does not exist",
        "missing.json": "does not exist",
    }
    runs, errors = frames.read_runs([tmp_path / name for name in [*wrong, "good"]])
    assert [run.folder.name for run in runs] == ["good"]
    assert len(errors) == len(wrong)
    for message, error in zip(wrong.values(), errors, strict=True):
        assert message in str(error)
        assert "\n" not in str(error)


def test_the_same_run_twice_is_said(tmp_path):
    for name in ("one", "two"):
        save(tmp_path / name, SMALL)
    runs, errors = frames.read_runs([tmp_path / "one", tmp_path / "two", V2])
    assert [run.run_id for run in runs] == ["r", "20261124T190533-b1085af4"]
    assert [str(error) for error in errors] == [f"{tmp_path / 'two'} is the same run as {tmp_path / 'one'}: r"]


def test_a_folder_with_files_of_two_runs_is_refused(tmp_path):
    save(tmp_path / "run", SMALL)
    content = json.loads((tmp_path / "run" / "environment.json").read_text())
    content["run"]["run_id"] = "another"
    (tmp_path / "run" / "environment.json").write_text(json.dumps(content))
    assert "mixes two runs: environment.json is of another, the rows of r" in refused(tmp_path / "run")


@pytest.mark.parametrize("name", ["x.parquet", "x.json"])
@pytest.mark.timeout(60)
def test_a_pipe_is_refused_at_once(name, tmp_path):
    os.mkfifo(tmp_path / name)
    save(tmp_path / "good", SMALL)
    runs, (error,) = frames.read_runs([tmp_path / name, tmp_path / "good"])
    assert [run.folder.name for run in runs] == ["good"]
    assert str(error).startswith(f"{tmp_path / name} is ")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_name_that_no_file_can_have_is_one_line(name, tmp_path):
    assert refused(tmp_path / name)
