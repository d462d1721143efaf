"""From turns to one log ratio per replicate, and from the records of both sides to what is decided on."""

import math

import msgspec
import pytest

from benchmarks.record import Record
from benchmarks.regression.decision import TESTED, Sampling, rules, verdicts
from benchmarks.regression.log_ratios import MIB, log_ratio, of_records
from benchmarks.worker.timing import Turn
from tests.helpers.records import record


def turns(*seconds):
    return [Turn(block=k // 2, seconds=time) for k, time in enumerate(seconds)]


def test_a_log_ratio_is_the_median_over_blocks_and_a_disturbed_block_does_not_move_it():
    base = turns(1, 1, 2, 2, 4, 4, 1, 1, 3, 3)
    head = turns(1.1, 1.1, 2.2, 2.2, 4.4, 4.4, 50, 50, 3.3, 3.3)
    assert abs(log_ratio(base, head) - 0.0953) < 1e-4
    assert abs(log_ratio(base, head) + log_ratio(head, base)) < 1e-12


def test_of_the_two_turns_of_a_block_the_shorter_counts():
    base, head = turns(1, 7, 1, 1), turns(1.2, 1.2, 9, 1.2)
    assert abs(log_ratio(base, head) - 0.1823) < 1e-4


def row(side, replicate, seconds=1.0, **changes):
    made = record("i", replicate, seconds, **{"side": side, "warm_first_call_seconds": 0.1, **changes})
    return msgspec.convert(made, Record)


TIME, START, MEMORY = rules(0.02)


def logs_of_time(*rows):
    return [sorted(math.exp(log) for log in ratios.logs) for ratios in of_records(rows, [TIME])]


@pytest.mark.parametrize("first", ["base", "head"])
def test_a_ratio_is_that_of_head_to_base_whichever_comes_first(first):
    rows = [row("base", 0, 1.0), row("head", 0, 1.25)]
    (found,) = of_records(rows if first == "base" else rows[::-1], [TIME])
    assert found.benchmark == "i p/w/m"
    assert found.logs == pytest.approx([math.log(1.25)])
    assert (found.base, found.head) == (1.0, 1.25)


def test_rows_of_one_replicate_are_paired_whatever_their_order():
    rows = [row("base", 0, 1.0), row("base", 1, 2.0), row("head", 1, 2.2), row("head", 0, 1.3)]
    assert logs_of_time(*rows) == [pytest.approx([1.1, 1.3])]


def test_a_replicate_in_which_a_side_failed_is_left_out():
    rows = [row("base", 0), row("head", 0, 1.1), row("base", 1), row("head", 1, 9.0, status="crashed")]
    assert logs_of_time(*rows) == [pytest.approx([1.1])]
    assert logs_of_time(*rows[2:]) == []


@pytest.mark.parametrize(
    ("metric", "base", "head", "ratio"),
    [
        ("start", {"warm_first_call_seconds": 0.1}, {"warm_first_call_seconds": 0.2}, 2),
        ("memory", {"peak_bytes": 10 * MIB}, {"peak_bytes": 200 * MIB}, 201 / 11),
    ],
)
def test_a_slower_start_or_more_memory_is_found_by_its_own_metric_alone(metric, base, head, ratio):
    rows = [row(side, k, **of_side) for k in range(TESTED) for side, of_side in (("base", base), ("head", head))]
    measured = of_records(rows, [TIME, START, MEMORY])
    sampling = Sampling(1)
    sampling.unsettled(measured)
    found = {finding.metric: finding for finding in verdicts(measured, sampling)}
    assert {name: one.verdict for name, one in found.items()} == {
        name: "slower" if name == metric else "same" for name in ("time", "start", "memory")
    }
    assert found[metric].ratio == pytest.approx(ratio)
    assert found[metric].head / found[metric].base == pytest.approx(ratio)
