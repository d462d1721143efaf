"""No call is shorter than its matrix products at the peak of the processors."""

import pytest

from benchmarks.cases import Benchmark
from benchmarks.runner.limits import Limits
from benchmarks.runner.sides import ArmFailed
from benchmarks.worker import requests
from benchmarks.worker.timing import Turn
from impls.core.operations import operations, peak_operations
from tests.helpers.sessions import Answering, row_of

BENCHMARK = Benchmark.parse("t64-b16-i128-h128/sequence/train_step")
NEEDED = operations(BENCHMARK.problem, BENCHMARK.workload, BENCHMARK.mode)
SECONDS = 2e-4
"""Of a call of the peak."""
LEAST = NEEDED / (peak_operations("cpu", "float32", 2) / SECONDS)


def rows_of(name, shares, peak=(SECONDS,) * 9):
    """Rows of an implementation at shares of the peak, by replicate, and those of the peak beside it."""
    known = {"benchmark": BENCHMARK.id, "dtype": "float32"}
    rows = []
    for replicate, (share, seconds) in enumerate(zip(shares, peak, strict=False)):
        turns = [Turn(seconds=seconds, samples=[1.1 * seconds, seconds, 3 * seconds])]
        rows.append(row_of("peak", replicate, track="peak", seconds=seconds, turns=turns, **known))
        rows.append(row_of(name, replicate, seconds=LEAST / share, **known))
    return rows


def test_the_shortest_call_of_the_peak_is_the_limit_in_each_replicate():
    limits = Limits(2)
    rows = rows_of("quick", [0.9, 1.1, 0.9], peak=[SECONDS, 2 * SECONDS, SECONDS])
    limits.refuse(rows)
    assert [row.status for row in rows if row.implementation == "quick"] == ["ok", "error", "ok"]
    assert "does its work before it is called" in rows[3].reason


@pytest.mark.parametrize(
    ("shares", "status"),
    [
        ([1.02, 1.021, 1.02, 1.021], "error"),
        ([0.98, 0.981, 0.98, 0.981], "ok"),
        ([1.02, 0.7, 1.3, 1.0], "ok"),  # not by more than its interval
        ([1.02], "ok"),  # one replicate has none
    ],
)
def test_what_is_above_the_peak_by_more_than_its_interval_has_no_row(shares, status):
    rows = rows_of("quick", shares)
    Limits(2).refuse_by_interval(rows)
    assert {row.status for row in rows if row.implementation == "quick"} == {status}
    assert {row.status for row in rows if row.implementation == "peak"} == {"ok"}


def test_the_peak_is_measured_before_anything_is_checked_and_where_there_is_none_no_processor_is_as_quick():
    limits = Limits(2)
    limits.measure(Answering({requests.Fastest: SECONDS}), [BENCHMARK])
    limits.check(BENCHMARK, 1.01 * LEAST)
    with pytest.raises(ArmFailed, match="at the peak that was measured here"):
        limits.check(BENCHMARK, 0.99 * LEAST)
    unknown = Limits(2)
    unknown.measure(Answering({requests.Open: ArmFailed("not_installed", "no compiler")}), [BENCHMARK])
    unknown.check(BENCHMARK, 0.99 * LEAST)
    with pytest.raises(ArmFailed, match="on any processor"):
        unknown.check(BENCHMARK, 0.01 * LEAST)


def test_a_peak_that_was_disturbed_refuses_nobody():
    seconds = iter([10 * SECONDS, SECONDS, SECONDS])
    limits = Limits(2)
    limits.measure(Answering({requests.Fastest: lambda _: next(seconds)}), [BENCHMARK])
    limits.check(BENCHMARK, 1.01 * LEAST)
    with pytest.raises(ArmFailed):
        limits.check(BENCHMARK, 0.99 * LEAST)


def test_rows_of_different_lengths_need_their_own_steps_only():
    whole, padded = (Benchmark.parse(f"t8-b4-i3-h5{suffix}/sequence/forward").problem for suffix in ("", "-var"))
    assert operations(padded, "sequence", "forward") * 32 == operations(whole, "sequence", "forward") * (2 + 4 + 6 + 8)
