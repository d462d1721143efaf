"""The file of records."""

import pytest

from benchmarks import record
from benchmarks.record import Record, harmless
from impls.core.problem import Problem
from tests.helpers.records import DATA


@pytest.mark.parametrize(("gpu", "also"), [(None, {"no_device"}), ("NVIDIA H100", set())])
def test_a_run_ends_well_with_these_statuses_and_no_other(gpu, also):
    assert set(harmless(gpu)) == {"ok", "unsupported", "not_installed"} | also


def test_a_row_knows_its_problem_and_each_column_has_its_type():
    kept = [int(path.stem.rpartition("-v")[2]) for path in DATA.glob("records-v*.parquet")]
    assert max(kept) == record.SCHEMA_VERSION, "tests of reports read a file of each"
    problem = Problem.parse("t3-b2-i4-h5-l6")
    row = Record(run_id="r", implementation="a", workload="w", mode="m", replicate=0, **record.problem_fields(problem))
    known = ("problem", "seq_len", "num_layers", "dtype", "status", "reason")
    assert [getattr(row, name) for name in known] == [problem.id, 3, 6, "float32", "ok", ""]
    kinds = {"threads": "int32", "seconds": "double", "bias": "bool", "input_seed": "int64", "problem": "string"}
    assert {name: str(record.SCHEMA.field(name).type) for name in kinds} == kinds
    assert record.SCHEMA.field("turns").type.value_type == record.TURN
    assert [str(record.TURN.field(name).type) for name in ("block", "seconds")] == ["int32", "double"]
