"""Rows that lose their times, since the arm was wrong in another replicate."""

import copy

import pytest

from benchmarks.record import Record, withdraw
from benchmarks.worker.timing import Turn

SECONDS = ("seconds", "warm_first_call_seconds", "pipelined_seconds", "gpu_seconds")
MEASURED = {
    **dict.fromkeys(SECONDS, 1e-3), "turns": [Turn(seconds=1e-3)], "cores_used": 1.0, "peak_bytes": 2**20,
    "gpu_kernels": 5.0,
}  # fmt: skip
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
def test_what_is_wrong_in_one_replicate_loses_the_times_of_all_and_the_first_failure_is_told(status):
    rows = [measured(0, side="base"), failing(1, status, side="base"), failing(2, "error", side="base")]
    others = [measured(0, "b", side="base"), measured(0, mode="n", side="base"), measured(0, side="head")]
    before = copy.deepcopy(others)
    withdraw([others[2], *rows, *others[:2]])
    assert [(row.status, row.reason[-1]) for row in rows] == [(status, "1")] * 3
    assert all(getattr(row, name) is None for row in rows for name in MEASURED)
    assert others == before


@pytest.mark.parametrize("status", ["crashed", "timed_out", "out_of_memory"])
def test_after_a_crash_only_the_first_call_keeps_its_time_and_a_wrong_result_counts_before_it(status):
    rows = [measured(0, first_call_seconds=0.7), failing(1, status)]
    withdraw(rows)
    assert [(row.status, row.reason[-1], row.seconds) for row in rows] == [(status, "1", None)] * 2
    assert rows[0].first_call_seconds == 0.7
    rows.append(failing(2, "disagrees"))
    withdraw(rows)
    assert [(row.status, row.first_call_seconds) for row in rows] == [("disagrees", None)] * 3
