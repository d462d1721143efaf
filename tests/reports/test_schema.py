"""Records that can't be true are refused, with the row and what is wrong with it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.record import SCHEMA, STATUSES
from reports import frames
from tests.helpers.records import V2, failed, record, refused, save


def changed(path, **columns):
    """The fixture with other values or types in some columns."""
    found = pq.read_table(V2)
    for name, values in columns.items():
        found = found.set_column(found.column_names.index(name), name, pa.array(values))
    pq.write_table(found, path)
    return path


def turns_with(seconds):
    """The fixture's turns, where the second turn of each record takes other seconds."""
    found = pq.read_table(V2)["turns"].to_pylist()
    for row, value in zip(found, seconds, strict=True):
        row[1]["seconds"] = value
    return pa.array(found, SCHEMA.field("turns").type)


IN_KEY = "20261124T190533-b1085af4/t64-b16-i128-h128/sequence/forward/cpu"
WRONG = {
    "zero": ({"seconds": [1.0, 0.0, 1.0, 1.0]}, "is ok and has no time"),
    "infinite": ({"seconds": [1.0, np.inf, 1.0, 1.0]}, "is ok and has no time"),
    "not a number": ({"seconds": [1.0, np.nan, 1.0, 1.0]}, "is ok and has no time"),
    "no time": ({"seconds": [1.0, None, 1.0, 1.0]}, "is ok and has no time"),
    "a turn of no time": ({"turns": turns_with([1.0, 1.0, 0.0, 1.0])}, "has a turn without a time"),
    "an infinite turn": ({"turns": turns_with([1.0, 1.0, np.inf, 1.0])}, "has a turn without a time"),
    "no turn": ({"turns": turns_with([1.0, 1.0, None, 1.0])}, "has a turn without a time"),
    "no name": ({"workload": ["w", None, "w", "w"]}, "has no workload"),
    "twice": ({"replicate": pa.array([0, 0, 0, 1], pa.int32())}, "occurs more than once"),
    "two runs": ({"run_id": ["a", "a", "a", "b"]}, "holds rows of 2 runs (a, b); it must hold one run"),
    "text for time": ({"seconds": ["fast"] * 4}, "column seconds is not double"),
    "a half": ({"replicate": [0.0, 0.5, 0.0, 1.0]}, "column replicate is not int32"),
    "turns": ({"turns": [1] * 4}, "it has no column turns.block"),
}


def test_the_unchanged_fixture_reads(tmp_path):
    """The negative control of all that follows."""
    same = {name: pq.read_table(V2)[name].to_pylist() for name in ("status", "reason", "seconds", "workload")}
    frames.read_run(changed(tmp_path / "same.parquet", **same, turns=pq.read_table(V2)["turns"].combine_chunks()))


@pytest.mark.parametrize("name", WRONG)
def test_what_can_not_be_true_is_refused(name, tmp_path):
    columns, message = WRONG[name]
    said = refused(changed(tmp_path / "wrong.parquet", **columns))
    assert message in said
    assert (IN_KEY in said) == (message.startswith(("is ok", "has a turn", "occurs")))


@pytest.mark.parametrize("name", sorted({*frames.NEEDED, "seconds", "reason", "turns"}))
def test_a_file_without_a_column_that_is_needed_is_refused(name, tmp_path):
    pq.write_table(pq.read_table(V2).drop_columns([name]), tmp_path / "less.parquet")
    assert f"it has no column {name}" in refused(tmp_path / "less.parquet")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(STATUSES), st.sampled_from([None, -1.0, 0.0, 1e-3])),
        min_size=1,
        max_size=4,
    )
)
def test_records_are_read_exactly_where_each_that_is_ok_has_a_time(tmp_path, values):
    written = [record("base", k, seconds, status=status, reason="why") for k, (status, seconds) in enumerate(values)]
    for row in written:
        if row["status"] != "ok":
            row["turns"] = None
    sound = all((seconds or 0) > 0 for status, seconds in values if status == "ok")
    try:
        save(tmp_path / "run", written)
    except frames.Unreadable:
        assert not sound
    else:
        assert sound


def test_a_failed_arm_may_have_any_error(tmp_path):
    """A result that disagrees by infinity, or is no number, is told as such."""
    for k, error in enumerate((np.inf, np.nan, None)):
        save(tmp_path / str(k), [record("base", 0, 1e-3), failed("bad", 0, "disagrees", "why", error=error)])
