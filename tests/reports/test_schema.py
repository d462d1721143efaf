"""Records that can't be true are refused, with the column, the row and the value."""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.record import SCHEMA, SCHEMA_VERSION, STATUSES, read_records
from reports import frames, markdown, schema
from reports.summary import summarise
from tests.helpers.records import DATA, QUICK, V2, failed, record, refused, save


def changed(path, source=V2, **columns):
    """The fixture with other values or types in some columns."""
    found = pq.read_table(source)
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
    "zero": ({"seconds": [1.0, 0.0, 1.0, 1.0]}, "column seconds is 0.0 in ", "at least 1e-12 and at most 1e+09 s"),
    "infinite": (
        {"seconds": [1.0, np.inf, 1.0, 1.0]},
        "column seconds is inf in ",
        "at least 1e-12 and at most 1e+09 s",
    ),
    "no time": ({"seconds": [1.0, None, 1.0, 1.0]}, "column seconds is nan in ", "it must be there"),
    "replicate": ({"replicate": pa.array([0, 0, -1, 1], pa.int32())}, "column replicate is -1 in ", "at least 0"),
    "no name": ({"workload": ["w", None, "w", "w"]}, "column workload is nan in ", "it must be there"),
    "twice": ({"replicate": pa.array([0, 0, 0, 1], pa.int32())}, IN_KEY, "more than once (run_id, problem"),
    "text for time": ({"seconds": ["1"] * 4}, "column seconds is string", "it must be double"),
    "number for name": ({"mode": [1] * 4}, "column mode is int64", "it must be string"),
    "turns": ({"turns": [1] * 4}, "column turns is int64", "a list of structs"),
    "fields": ({"turns": [[{"block": "0"}]] * 4}, "column turns.block is string", "it must be int32"),
    "no fields": ({"turns": [[{"block": 0}]] * 4}, "holds no benchmark records", "no column turns.seconds"),
    "version with a fraction": (
        {"schema_version": [2.0, 1.5, 2.0, 2.0]},
        "column schema_version is 1.5 in ",
        "from 1 to",
    ),
    "negative version": ({"schema_version": [2, -5, 2, 2]}, "column schema_version is -5 in ", "from 1 to"),
    "denormal": ({"seconds": [1.0, 5e-324, 1.0, 1.0]}, "column seconds is 5e-324 in ", "at least 1e-12"),
    "huge": ({"seconds": [1.0, 1e308, 1.0, 1.0]}, "column seconds is 1e+308 in ", "at most 1e+09 s"),
    "not a number": ({"seconds": [1.0, np.nan, 1.0, 1.0]}, "column seconds is nan in row 1", "a number or null"),
    "error, not a number": ({"error": [0.0, np.nan, 0.0, 0.0]}, "column error is nan in row 1", "a number or null"),
    "negative error": ({"error": [0.0, -1e-7, 0.0, 0.0]}, "column error is -1e-07 in ", "at least 0"),
    "infinite error": ({"error": [0.0, np.inf, 0.0, 0.0]}, "column error is inf in ", "finite"),
    "infinite cores": ({"cores_used": [1.0, np.inf, 1.0, 1.0]}, "column cores_used is inf in ", "at most 1e+09"),
    "negative cores": ({"cores_used": [1.0, -1.0, 1.0, 1.0]}, "column cores_used is -1.0 in ", "at least 0"),
    "negative bytes": ({"peak_bytes": [1, -1, 1, 1]}, "column peak_bytes is -1 in ", "at least 0"),
    "infinite bytes": ({"peak_bytes": [1.0, np.inf, 1.0, 1.0]}, "column peak_bytes is inf in ", "a whole number"),
    "half a byte": ({"base_bytes": [1.0, 0.5, 1.0, 1.0]}, "column base_bytes is 0.5 in ", "a whole number"),
    "negative first call": (
        {"first_call_seconds": [1.0, -1.0, 1.0, 1.0]},
        "first_call_seconds is -1.0 in ",
        "at least 0",
    ),
    "no threads": ({"threads": pa.array([1, 0, 1, 1], pa.int32())}, "column threads is 0 in ", "at least 1"),
    "no batch": ({"batch": pa.array([1, -16, 1, 1], pa.int32())}, "column batch is -16 in ", "at least 1"),
    "two runs": ({"run_id": ["a", "a", "a", "b"]}, "holds rows of 2 runs (a, b)", "must hold one run"),
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
    if " in " in begins and "row" not in begins:
        assert "20261124T190533-b1085af4/t64-b16-i128-h128/" in said


WRONG_VALUES = [name for name, (_, begins, _) in WRONG.items() if " in " in begins] + ["twice"]


def folder_of(place, run_id, source=V2, **columns):
    """A run's folder, with another run id than the fixture's."""
    place.mkdir()
    columns.setdefault("run_id", [run_id] * pq.read_table(source).num_rows)
    changed(place / "results.parquet", source, **columns)
    known = json.loads((QUICK / "environment.json").read_text())
    known["run"]["run_id"] = run_id
    (place / "environment.json").write_text(json.dumps(known))
    return place


def line(read):
    """What reading a run comes to: its id, or why it can't be read."""
    try:
        found = read()
    except frames.Unreadable as error:
        found = error
    return found.run_id if isinstance(found, frames.Run) else str(found)


def test_runs_that_are_right_are_checked_together(tmp_path, monkeypatch):
    """Of all versions, so that columns and names of one are missing in another."""
    sources = sorted(DATA.glob("records-v*.parquet"))
    folders = [folder_of(tmp_path / path.stem, path.stem, path) for path in sources]
    monkeypatch.setattr(schema, "check_values", lambda *_: pytest.fail("one by one"))
    assert [line(lambda run=run: run) for run in frames.read_each(folders)] == [path.stem for path in sources]


@pytest.mark.parametrize("wrong", [[name] for name in WRONG_VALUES] + [WRONG_VALUES], ids=lambda names: names[-1])
def test_runs_that_are_checked_together_get_the_same_lines_as_alone(wrong, tmp_path):
    folders = [folder_of(tmp_path / "first", "first")]
    folders += [folder_of(tmp_path / name, name, **WRONG[name][0]) for name in wrong]
    folders += [folder_of(tmp_path / "last", "last", DATA / "records-v6.parquet")]
    said = [line(lambda run=run: run) for run in frames.read_each(folders)]
    assert said == [line(lambda folder=folder: frames.read_run(folder)) for folder in folders]
    assert [said[0], said[-1]] == ["first", "last"]
    assert not {*wrong} & {*said}


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
        ("started", [1e9, 1e9, -1e9, 1e9], "column turns.started is -1000000000.0 in "),
        ("started", [1e9, 1e9, 1e300, 1e9], "column turns.started is 1e+300 in "),
        ("seconds", [1.0, 1.0, 5e-324, 1.0], "column turns.seconds is 5e-324 in "),
    ],
)
def test_a_turn_that_can_not_be_is_refused(field, values, message, tmp_path):
    said = refused(changed(tmp_path / "wrong.parquet", turns=turns_with(values, field)))
    assert message + IN_KEY in said
    third = read_records(V2)[2]
    assert f"{third.implementation}/{third.replicate};" in said


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
    sound = all(
        (seconds or 0) > 0 if status == "ok" else reason and (seconds is None or seconds > 0)
        for status, reason, seconds in values
    )
    try:
        save(tmp_path / "run", written)
    except frames.Unreadable:
        assert not sound
    else:
        assert sound


def test_a_time_of_a_turn_that_is_no_number_is_refused(tmp_path):
    turns = turns_with([1.0, 1.0, np.nan, 1.0], "started")
    assert "column turns.started is nan in row " in refused(changed(tmp_path / "wrong.parquet", turns=turns))


def test_a_failed_arm_may_have_any_error_but_a_negative_one(tmp_path):
    """A result that disagrees by infinity, or is no number, is told as such."""
    for k, error in enumerate((np.inf, np.nan, None)):
        save(tmp_path / str(k), [record("base", 0, 1e-3), failed("bad", 0, "disagrees", "why", error=error)])
    with pytest.raises(frames.Unreadable, match="column error is -inf"):
        save(tmp_path / "run", [failed("bad", 0, "disagrees", "why", error=-np.inf)])


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    whole = pq.read_table(V2)
    twice = pa.table([*whole.columns, whole["seconds"]], [*whole.column_names, "seconds"])
    pq.write_table(twice, tmp_path / "twice.parquet")
    assert "has column seconds twice" in refused(tmp_path / "twice.parquet")
    fields = [pa.field("block", pa.int32()), *(pa.field("seconds", pa.float64()) for _ in range(2))]
    turns = pa.array([[]] * 4, pa.list_(pa.struct(fields)))
    assert "has column turns.seconds twice" in refused(changed(tmp_path / "turns.parquet", turns=turns))


NEWEST = DATA / f"records-v{SCHEMA_VERSION}.parquet"
NUMBERS = [field.name for field in SCHEMA if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)]


@given(st.sampled_from(NUMBERS), st.floats() | st.integers(-2, 5).map(float), st.integers(0, 3))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_number_in_any_column_is_reported_or_refused(tmp_path, name, value, row):
    values = pq.read_table(NEWEST)[name].cast(pa.float64(), safe=False).to_pylist()
    values[row] = value
    try:
        run = frames.read_run(changed(tmp_path / "any.parquet", NEWEST, **{name: values}))
    except frames.Unreadable:
        return
    tables = markdown.document(run, summarise(run)).partition("- verdict:")[0]
    assert not re.search(r"\b(nan|inf)\b", tables)
