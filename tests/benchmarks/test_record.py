"""The file of records."""

import random

import pytest

from benchmarks import record
from benchmarks.record import Record, harmless, read_records, write_records
from benchmarks.worker.timing import Turn
from impls.core.problem import Problem
from tests.helpers.records import DATA


def test_a_damaged_byte_is_found_and_never_another_time(tmp_path):
    path, rng = tmp_path / "rows.parquet", random.Random(1)
    turns = [Turn(seconds=rng.random()) for _ in range(200)]
    rows = [Record(run_id="r", implementation="a", problem="p", workload="w", mode="m", replicate=0, turns=turns)]
    write_records(path, rows)
    whole, found = path.read_bytes(), 0
    pages = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")  # what follows describes them, without a checksum
    for place in range(4, pages, 31):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        try:
            assert read_records(path) == rows, place
        except ValueError:
            found += 1
    assert found > pages / 31 / 2
    path.write_bytes(whole)
    assert read_records(path) == rows
    with pytest.raises(ValueError, match="gone"):
        read_records(tmp_path / "gone")


@pytest.mark.parametrize(("gpu", "also"), [(None, {"no_device"}), ("NVIDIA H100", set())])
def test_a_run_ends_well_with_these_statuses_and_no_other(gpu, also):
    assert set(harmless(gpu)) == {"ok", "unsupported", "not_installed"} | also


def test_a_row_knows_its_problem_and_each_column_has_its_type():
    assert (DATA / f"records-v{record.SCHEMA_VERSION}.parquet").exists(), "tests of reports read it"
    problem = Problem.parse("t3-b2-i4-h5-l6")
    row = Record(run_id="r", implementation="a", workload="w", mode="m", replicate=0, **record.problem_fields(problem))
    known = ("problem", "seq_len", "num_layers", "dtype", "status", "reason")
    assert [getattr(row, name) for name in known] == [problem.id, 3, 6, "float32", "ok", ""]
    kinds = {"threads": "int32", "seconds": "double", "bias": "bool", "input_seed": "int64", "problem": "string"}
    assert {name: str(record.SCHEMA.field(name).type) for name in kinds} == kinds
    assert record.SCHEMA.field("turns").type.value_type == record.TURN
    assert [str(record.TURN.field(name).type) for name in ("block", "seconds")] == ["int32", "double"]
