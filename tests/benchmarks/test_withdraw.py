"""Rows that lose their times, since the arm was wrong in another replicate."""

import copy

import pytest

from benchmarks.record import Record, withdraw
from benchmarks.worker.timing import Turn

MEASURED = {
    "turns": [Turn(seconds=1e-3)],
    "seconds": 1e-3,
    "cores_used": 1.0,
    "peak_bytes": 2**20,
    "warm_first_call_seconds": 0.1,
    "pipelined_seconds": 1e-3,
    "gpu_seconds": 1e-3,
    "gpu_kernels": 5.0,
}
"""What a row has of its replicate."""


def measured(replicate, name="a", **changes):
    return Record(
        run_id="r", implementation=name, problem="p", workload="w", replicate=replicate,
        **{"mode": "m", **MEASURED, **changes},
    )  # fmt: skip


def failing(replicate, status, **changes):
    nothing = dict.fromkeys(MEASURED)
    return measured(replicate, status=status, reason=f"why in replicate {replicate}", **{**nothing, **changes})


@pytest.mark.parametrize("status", ["disagrees", "error"])
def test_what_is_wrong_in_one_replicate_loses_the_times_of_all(status):
    rows = [measured(0), failing(1, status), measured(2)]
    others = [measured(0, "b"), measured(1, "b"), measured(0, mode="n")]
    before = copy.deepcopy(others)
    withdraw([*rows, *others])
    for row in rows:
        assert (row.status, row.reason) == (status, "why in replicate 1")
        assert all(getattr(row, name) is None for name in MEASURED)
    assert others == before


@pytest.mark.parametrize("status", ["crashed", "timed_out", "out_of_memory"])
def test_what_was_measured_before_a_crash_is_kept(status):
    rows = [measured(0), failing(1, status)]
    before = copy.deepcopy(rows)
    withdraw(rows)
    assert rows == before


def test_a_side_that_is_wrong_leaves_the_rows_of_the_other_alone():
    head = [measured(replicate, side="head") for replicate in (0, 1)]
    before = copy.deepcopy(head)
    base = [measured(0, side="base"), failing(1, "disagrees", side="base")]
    withdraw([base[0], head[0], base[1], head[1]])
    assert [row.status for row in base] == ["disagrees"] * 2
    assert head == before


def test_of_several_failures_the_first_is_told():
    rows = [measured(0), failing(1, "error"), failing(2, "disagrees")]
    withdraw(rows)
    assert [(row.status, row.reason[-1]) for row in rows] == [("error", "1"), ("error", "1"), ("disagrees", "2")]
