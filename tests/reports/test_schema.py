"""Records that can't be true are refused, with the column, the row and the value."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.record import SCHEMA, STATUSES, read_records
from reports import frames, schema
from tests.helpers.records import V2, record, refused, save


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
