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
from reports import frames, markdown
from reports.summary import summarise
from tests.helpers.records import DATA, ENVIRONMENT, QUICK, SMALL, V2, record, refused, save


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_a_file_of_every_schema_version_reads(version):
    run = frames.read_run(DATA / f"records-v{version}.parquet", ("block", "seconds", "pressure_seconds"))
    assert set(run.records["schema_version"]) == {version}
    assert run.turns["pressure_seconds"].isna().all() == (version == 1)
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
    pd.testing.assert_frame_equal(
        frames.plain(frames.turns(one, one.records)).sort_values(keys, ignore_index=True),
        frames.plain(frames.turns(other, other.records)).sort_values(keys, ignore_index=True),
    )


def test_turns_are_those_of_the_records_asked_for():
    run = frames.read_run(V2)
    some = run.records.iloc[[3, 1]]
    found = frames.turns(run, some)
    assert set(found["implementation"]) == set(some["implementation"])
    assert len(found) == 2 * len(run.turns) / len(run.records)


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
    assert "unknown" in markdown.document(run, summarise(run))


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


def test_the_same_turns_are_not_read_under_two_run_ids(tmp_path):
    """Three copies of a run are no three runs; a run of its own with the same rows is one."""
    whole = pq.read_table(V2)
    column = whole.column_names.index("run_id")
    for run_id in ("a", "b"):
        other = whole.set_column(column, "run_id", pa.array([run_id] * len(whole)))
        pq.write_table(other.slice(0, len(whole) if run_id == "a" else 1), tmp_path / f"{run_id}.parquet")
    save(tmp_path / "own", SMALL)
    save(tmp_path / "again", [{**row, "run_id": "again"} for row in SMALL], "again")
    paths = [V2, *(tmp_path / name for name in ("a.parquet", "b.parquet", "own", "again"))]
    runs, errors = frames.read_runs(paths)
    assert [run.folder.name for run in runs] == [V2.name, "own", "again"]
    assert [str(error) for error in errors] == [
        f"{tmp_path / name}.parquet holds turns of {V2}, under another run id: {name}" for name in ("a", "b")
    ]


def test_a_replicate_is_not_read_twice(tmp_path):
    whole = pq.read_table(V2)
    rows = [row | {"replicate": 7 + row["replicate"]} for row in whole.to_pylist()[:1]]
    pq.write_table(pa.concat_tables([whole, pa.Table.from_pylist(rows, whole.schema)]), tmp_path / "copy.parquet")
    assert "hold the same turns" in refused(tmp_path / "copy.parquet")


def test_a_folder_with_files_of_two_runs_is_refused(tmp_path):
    save(tmp_path / "run", SMALL)
    content = json.loads((tmp_path / "run" / "environment.json").read_text())
    content["run"]["run_id"] = "another"
    (tmp_path / "run" / "environment.json").write_text(json.dumps(content))
    assert "mixes two runs: environment.json is of another, the rows of r" in refused(tmp_path / "run")


def no_file(folder, kind):
    """Make something that is no regular file, under the name of one."""
    folder.mkdir()
    name = {"json": "x.json", "parquet": "x.parquet"}.get(kind, f"{kind}.json")
    path = folder / name
    if kind in ("json", "parquet"):
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "circle":
        path.symlink_to(path)
    elif kind == "folder":
        save(folder / "run", SMALL)
        for file in ("environment.json", "results.parquet"):
            (folder / "run" / file).unlink()
            os.mkfifo(folder / "run" / file)
        return folder / "run"
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(2**40)
    elif kind == "deep":
        path.write_text('{"environment": {"a": ' + "[" * 100_000)
    elif kind == "name":
        return folder / ("x" * 300)
    elif kind == "nul":
        return folder / "a\0b.json"
    return path


KINDS = {
    "json": "is a pipe, not a regular file",
    "parquet": "is a pipe, not a regular file",
    "folder": "environment.json is a pipe, not a regular file",
    "device": "is a device, not a regular file",
    "circle": "can't be read: Too many levels of symbolic links",
    "sparse": "has 1048576 MiB; at most 32 MiB are read",
    "deep": "is not readable JSON",
    "name": ": File name too long",
    "nul": "null byte",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(60)
def test_what_is_no_regular_file_of_a_fair_size_is_refused_at_once(kind, tmp_path):
    path = no_file(tmp_path / "odd", kind)
    save(tmp_path / "good", SMALL)
    runs, errors = frames.read_runs([path, tmp_path / "good"])
    assert [run.folder.name for run in runs] == ["good"]
    assert KINDS[kind] in str(errors[0])


def test_a_packed_file_that_unfolds_is_refused_before_it_is_read(tmp_path, monkeypatch):
    """Nulls and repetitions take no room in the file."""
    row = pq.read_table(V2).slice(0, 1)
    small = pa.concat_tables([row] * 3000)
    pq.write_table(small, tmp_path / "bomb.parquet", compression="zstd")
    for name, limit in (("MOST_VALUES", 60_000), ("MOST_BYTES", 2**14)):
        with monkeypatch.context() as patch:
            patch.setattr(frames, name, limit)
            patch.setattr(frames, "open_regular", lambda path, _: path.open("rb"))
            patch.setattr(pq.ParquetFile, "read", None)
            assert "values in" in refused(tmp_path / "bomb.parquet")
    assert "occurs more than once" in refused(tmp_path / "bomb.parquet")  # without the limit it is read
