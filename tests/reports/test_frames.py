"""Reading: every form of a run gives the same tidy records, and what can't be true is refused in one line."""

import json
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import results
from benchmarks.record import SCHEMA, STATUSES, read_records
from reports import frames, metadata, schema, tables
from reports.summary import summarise
from tests.helpers.processes import ROOT
from tests.reports.test_reports import ENVIRONMENT, record, save

DATA = ROOT / "tests" / "data"  # a published run's records, cut down to two implementations, replicates and samples
QUICK = ROOT / "reports" / "published" / "2026-11-24-190533-quick"
V2 = DATA / "records-v2.parquet"


def rows():
    return [record(name, r, s) for name, s in (("base", 1e-3), ("other", 2e-3)) for r in (0, 1)]


def refused(path):
    """The one line that says why it can't be read."""
    with pytest.raises(frames.Unreadable) as caught:
        frames.read_run(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# what is read


@pytest.mark.parametrize("version", [1, 2])
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
    from benchmarks.record import SCHEMA_VERSION

    assert {path.name for path in DATA.glob("records-v*")} == {
        f"records-v{version}.parquet" for version in range(1, SCHEMA_VERSION + 1)
    }


def test_what_is_read_is_what_was_written():
    """Against pyarrow's own reading into plain Python."""
    run, plain = frames.read_run(V2), read_records(V2)
    for name in SCHEMA.names:
        if name != "turns":
            assert [value for value in run.records[name] if value == value] == [
                row[name] for row in plain if row[name] is not None
            ], name
    flat = [(k, t["block"], t["seconds"]) for k, row in enumerate(plain) for t in row["turns"]]
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


# a file alone


def test_a_parquet_file_alone_says_what_it_does_not_know(tmp_path):
    shutil.copy(V2, tmp_path / "alone.parquet")
    run = frames.read_run(tmp_path / "alone.parquet")
    assert run.options["run_id"] == "20261124T190533-b1085af4"
    assert (run.options["baseline"], run.options["replicates"], run.options["blocks"]) == ("torch_lstm", 2, 3)
    assert run.environment["machine"]["cpu"] == "unknown"
    assert "unknown" in tables.markdown(run, summarise(run))


def test_a_parquet_file_in_its_runs_folder_knows_the_environment(tmp_path):
    shutil.copy(QUICK / "environment.json", tmp_path)
    shutil.copy(V2, tmp_path / "some.parquet")
    assert frames.read_run(tmp_path / "some.parquet").environment["machine"]["cores"] == 2
    # of another run, it says nothing
    (tmp_path / "environment.json").write_text(json.dumps(ENVIRONMENT))
    assert frames.read_run(tmp_path / "some.parquet").environment["machine"]["cores"] is None


def pytest_benchmark_file(path, **changes):
    """As pytest-benchmark writes it for bench_lstm.py, where a test's argument is called case."""
    entries = [
        {
            "name": f"bench_lstm[{name}]",
            "params": {"implementation": name, "case": "t64-b16-i128-h128/sequence/forward"},
            "extra_info": {},
            "stats": {"median": scale * 2e-3, "data": [scale * 1e-3, scale * 2e-3, scale * 3e-3], "iterations": 7},
        }
        for name, scale in (("torch_cell", 2), ("torch_lstm", 1))
    ]
    content = {
        "machine_info": {"cpu": {"brand_raw": "a cpu", "count": 2}, "python_version": "3.12.1", "system": "Linux"},
        "commit_info": {"id": "c0ffee", "dirty": True},
        "benchmarks": entries,
        "datetime": "2026-11-24T20:05:33+01:00",
        "version": "5.3.1",
    }
    path.write_text(json.dumps(content | changes))
    return path


def test_pytest_benchmarks_json_reads_as_a_run_of_one_replicate(tmp_path):
    run = frames.read_run(pytest_benchmark_file(tmp_path / "bench.json"))
    first = run.records.iloc[0]
    assert (first["seconds"], first["hidden_size"], first["dtype"]) == (4e-3, 128, "float32")
    assert run.turns["seconds"].to_list() == [2e-3, 4e-3, 6e-3, 1e-3, 2e-3, 3e-3]
    assert run.options["run_id"].startswith("20261124T190533-")
    found = summarise(run).set_index("implementation")
    assert found.loc["torch_cell", "ratio"] == pytest.approx(2)
    assert found.loc["torch_cell", "verdict"] == "unknown"
    assert "a cpu, 2 cores" in tables.markdown(run, summarise(run))


def test_without_single_times_the_median_is_the_only_turn(tmp_path):
    path = pytest_benchmark_file(tmp_path / "bench.json")
    content = json.loads(path.read_text())
    for entry in content["benchmarks"]:
        del entry["stats"]["data"]
    path.write_text(json.dumps(content))
    assert frames.read_run(path).turns["seconds"].to_list() == [4e-3, 2e-3]


def test_a_runs_own_json_keeps_its_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "pytest_benchmark_generate_machine_info", dict)
    records, known = read_records(V2), json.loads((QUICK / "environment.json").read_text())
    (tmp_path / "results.json").write_text(json.dumps(results.pytest_benchmark_json(records, known)))
    run, whole = frames.read_run(tmp_path / "results.json"), frames.read_run(V2)
    assert run.environment["machine"] == known["machine"]
    assert sorted(run.turns["seconds"]) == sorted(whole.turns["seconds"])
    one, other = (summarise(each).set_index("implementation")["ratio"] for each in (run, whole))
    assert one["jax_scan"] == pytest.approx(other["jax_scan"], rel=0.1)


NOT_OURS = {
    "not JSON": ("{", "is not readable JSON"),
    "a list": ("[1]", "the whole of it"),
    "no benchmarks": ('{"benchmarks": []}', "benchmarks: List should have at least 1 item"),
    "unparametrised": ('{"benchmarks": [{"params": null, "stats": {"median": 1}}]}', "benchmarks.0.params"),
    "other parameters": ('{"benchmarks": [{"params": {"n": 1}, "stats": {"median": 1}}]}', "params.implementation"),
}


@pytest.mark.parametrize("name", NOT_OURS)
def test_other_json_is_refused(name, tmp_path):
    content, message = NOT_OURS[name]
    (tmp_path / "other.json").write_text(content)
    assert message in refused(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("forward", "benchmarks.0.params.case"),
        ("t99999999999-b1-i1-h1/sequence/forward", "holds what no record can"),
    ],
)
def test_a_case_that_is_none_is_refused(case, message, tmp_path):
    path = pytest_benchmark_file(tmp_path / "bench.json")
    path.write_text(path.read_text().replace("t64-b16-i128-h128/sequence/forward", case))
    assert message in refused(path)


def test_another_suites_problems_need_no_sizes(tmp_path):
    path = pytest_benchmark_file(tmp_path / "bench.json")
    path.write_text(path.read_text().replace("t64-b16-i128-h128", "mine"))
    assert set(frames.read_run(path).records["problem"]) == {"mine"}


@pytest.mark.parametrize("median", ["NaN", "-1", "0"])
def test_an_impossible_time_in_json_is_refused(median, tmp_path):
    path = pytest_benchmark_file(tmp_path / "bench.json")
    path.write_text(path.read_text().replace('"median": 0.004', f'"median": {median}'))
    assert "column seconds is" in refused(path)


# environment.json


def without(content, path):
    copy = json.loads(json.dumps(content))
    part = copy
    *outer, last = path.split(".")
    for name in outer:
        part = part[name]
    del part[last]
    return copy


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "the whole of it"),
        ("text", "the whole of it"),
        (without(ENVIRONMENT, "run"), "run: Field required"),
        (without(ENVIRONMENT, "run.baseline"), "run.baseline: Field required"),
        (without(ENVIRONMENT, "run.run_id"), "run.run_id: Field required"),
        ({**ENVIRONMENT, "machine": "fast"}, "machine: Input should be"),
        ({**ENVIRONMENT, "machine": {**ENVIRONMENT["machine"], "memory_bytes": "much"}}, "machine.memory_bytes"),
    ],
)
def test_an_environment_that_lacks_what_is_needed_is_refused(content, message, tmp_path):
    save(tmp_path, rows())
    (tmp_path / "environment.json").write_text(json.dumps(content))
    assert message in refused(tmp_path)


@pytest.mark.parametrize(
    "left_out", ["machine", "machine.cores", "versions", "commit.id", "matmul_precision", "run.seed"]
)
def test_what_an_environment_does_not_say_is_unknown(left_out, tmp_path):
    save(tmp_path, rows())
    (tmp_path / "environment.json").write_text(json.dumps(without(ENVIRONMENT, left_out)))
    run = frames.read_run(tmp_path)
    assert tables.markdown(run, summarise(run))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["cpu", "id", "run_id"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=200)
@given(st.sampled_from([*ENVIRONMENT, "run.threads", "machine.cpu", "machine.gpu", "commit.id"]), json_values)
def test_any_json_in_an_environment_is_read_or_refused(path, value):
    content = json.loads(json.dumps(ENVIRONMENT))
    part = content
    *outer, last = path.split(".")
    for name in outer:
        part = part[name]
    part[last] = value
    try:
        found = metadata.checked(content, "it")
    except frames.Unreadable as error:
        assert "\n" not in str(error)  # noqa: PT017 - both ends are right
    else:
        assert isinstance(found["run"]["run_id"], str)


# types and values


def changed(path, **columns):
    """The fixture with other values or types in some columns."""
    found = pq.read_table(V2)
    for name, values in columns.items():
        found = found.set_column(found.column_names.index(name), name, pa.array(values))
    pq.write_table(found, path)
    return path


IN_KEY = "20261124T190533-b1085af4/t64-b16-i128-h128/sequence/forward/cpu"
WRONG = {
    "status": ({"status": ["ok", "fine", "ok", "ok"]}, "column status is 'fine' in ", "one of ok, disagrees"),
    "reason": ({"status": ["ok", "error", "ok", "ok"]}, "column reason is '' in ", "given where the status is not ok"),
    "null reason": (
        {"status": ["ok", "error", "ok", "ok"], "reason": ["", None, "", ""]},
        "column reason is ",
        "it must be there",
    ),
    "zero": ({"seconds": [1.0, 0.0, 1.0, 1.0]}, "column seconds is 0.0 in ", "above 0 and finite"),
    "infinite": ({"seconds": [1.0, np.inf, 1.0, 1.0]}, "column seconds is inf in ", "above 0 and finite"),
    "no time": ({"seconds": [1.0, None, 1.0, 1.0]}, "column seconds is nan in ", "it must be there"),
    "replicate": ({"replicate": pa.array([0, 0, -1, 1], pa.int32())}, "column replicate is -1 in ", "at least 0"),
    "no name": ({"workload": ["w", None, "w", "w"]}, "column workload is nan in ", "it must be there"),
    "twice": ({"replicate": pa.array([0, 0, 0, 1], pa.int32())}, IN_KEY, "more than once (run_id, problem"),
    "text for time": ({"seconds": ["1"] * 4}, "column seconds is string", "it must be double"),
    "number for name": ({"mode": [1] * 4}, "column mode is int64", "it must be string"),
    "turns": ({"turns": [1] * 4}, "column turns is int64", "a list of structs"),
    "fields": ({"turns": [[{"block": "0"}]] * 4}, "column turns.block is string", "it must be int32"),
    "no fields": ({"turns": [[{"block": 0}]] * 4}, "holds no benchmark records", "no column turns.seconds"),
}


def test_the_unchanged_fixture_reads(tmp_path):
    """The negative control of all that follows."""
    same = {name: pq.read_table(V2)[name].to_pylist() for name in ("status", "reason", "seconds", "workload")}
    frames.read_run(changed(tmp_path / "same.parquet", **same))


@pytest.mark.parametrize("name", WRONG)
def test_what_can_not_be_true_is_refused_with_column_key_and_value(name, tmp_path):
    columns, begins, ends = WRONG[name]
    said = refused(changed(tmp_path / "wrong.parquet", **columns))
    assert begins in said
    assert ends in said
    if " in " in begins:
        assert "20261124T190533-b1085af4/t64-b16-i128-h128/" in said


def turns_with(values, name):
    found = pq.read_table(V2)["turns"].to_pylist()
    for row, value in zip(found, values, strict=True):
        row[1][name] = value
    return pa.array(found, SCHEMA.field("turns").type)


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        ("seconds", [1.0, 1.0, -2.0, 1.0], "column turns.seconds is -2.0 in "),
        ("seconds", [1.0, 1.0, None, 1.0], "column turns.seconds is nan in "),
        ("block", [0, 0, -1, 0], "column turns.block is -1 in "),
    ],
)
def test_a_turn_that_can_not_be_is_refused(field, values, message, tmp_path):
    said = refused(changed(tmp_path / "wrong.parquet", turns=turns_with(values, field)))
    assert message + IN_KEY in said
    third = read_records(V2)[2]
    assert f"{third['implementation']}/{third['replicate']};" in said


def test_a_column_of_names_has_names(tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "MOST_WORDS", 1)
    assert "column implementation is 'torch_lstm'" in refused(V2)


@pytest.mark.parametrize("name", sorted({*schema.NEEDED, "seconds", "reason", "turns"}))
def test_a_file_without_a_column_that_is_needed_is_refused(name, tmp_path):
    pq.write_table(pq.read_table(V2).drop_columns([name]), tmp_path / "less.parquet")
    assert f"it has no column {name}" in refused(tmp_path / "less.parquet")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(STATUSES), st.sampled_from(["", "why"]), st.sampled_from([None, -1.0, 0.0, 1e-3])),
        min_size=1,
        max_size=4,
    )
)
def test_records_are_read_exactly_where_each_can_be_true(tmp_path, values):
    written = [
        record("base", k, seconds, status=status, reason=reason) for k, (status, reason, seconds) in enumerate(values)
    ]
    for row in written:
        if row["seconds"] is None or row["seconds"] <= 0:
            row["turns"] = None
    sound = all((seconds or 0) > 0 if status == "ok" else reason for status, reason, seconds in values)
    try:
        save(tmp_path / "run", written)
    except frames.Unreadable:
        assert not sound
    else:
        assert sound


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_truncated_file_is_refused(tmp_path, data):
    whole = V2.read_bytes()
    (tmp_path / "part.parquet").write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert "not a readable Parquet file" in refused(tmp_path / "part.parquet")


# many runs


def test_all_that_can_be_read_is_and_each_other_has_its_line(tmp_path):
    save(tmp_path / "good", rows())
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
        save(tmp_path / name, rows())
    runs, errors = frames.read_runs([tmp_path / "one", tmp_path / "two", V2])
    assert [run.options["run_id"] for run in runs] == ["r", "20261124T190533-b1085af4"]
    assert [str(error) for error in errors] == [f"{tmp_path / 'two'} is the same run as {tmp_path / 'one'}: r"]
