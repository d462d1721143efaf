"""From turns to one log ratio per replicate, and from the records of both sides to what is decided on."""

import math

import msgspec
import numpy as np
import pytest

from benchmarks.record import Record
from benchmarks.regression.decision import TESTED, Sampling, rules
from benchmarks.regression.findings import verdicts
from benchmarks.regression.log_ratios import Measured, block_logs, compare, of_records
from benchmarks.worker.timing import Turn
from tests.helpers.records import record

RULES = rules(0.02)


def turns(*seconds):
    return [Turn(block=k // 2, seconds=time) for k, time in enumerate(seconds)]


@pytest.mark.parametrize(
    ("base", "head", "ratio"),
    [
        # the median over blocks, which a disturbed block does not move
        ((1, 1, 2, 2, 4, 4, 1, 1, 3, 3), (1.1, 1.1, 2.2, 2.2, 4.4, 4.4, 50, 50, 3.3, 3.3), 1.1),
        # of the two turns of a block, the shorter counts
        ((1, 7, 1, 1), (1.2, 1.2, 9, 1.2), 1.2),
        # with an even number of blocks, the mean of the two in the middle
        ((1, 1, 1, 1), (1.21, 1.21, 1, 1), 1.1),
    ],
)
def test_a_log_ratio_is_the_median_over_blocks_of_the_shorter_turns(base, head, ratio):
    before, now = (Measured(block_logs(turns(*side)), {"time": 1.0}, np.array(side)) for side in (base, head))
    assert compare("time", before, now) == (pytest.approx(math.log(ratio)), 1.0, 1.0)
    assert compare("time", now, before) == (pytest.approx(-math.log(ratio)), 1.0, 1.0)


def row(side, replicate, seconds=1.0, **changes):
    made = record("i", replicate, seconds, **{"side": side, "warm_first_call_seconds": 0.1, **changes})
    return msgspec.convert(made, Record)


def test_rows_of_one_replicate_are_paired_whatever_their_order_and_only_where_both_are_ok():
    rows = [row("base", 0, 1.0), row("base", 1, 2.0), row("head", 1, 2.2), row("head", 0, 1.3), row("base", 2)]
    rows.append(row("head", 2, 9.0, status="crashed"))
    rows[3].seconds = 1.5  # the median of its turns is not the ratio, which is block by block
    (found,) = of_records(rows, RULES[:1])
    assert found.keys == ["i p/w/m"]
    assert found.logs[0] == pytest.approx([math.log(1.3), math.log(1.1)])
    assert (found.base.tolist(), found.head.tolist()) == ([[1.0, 2.0]], [[1.5, 2.2]])
    assert of_records(rows[4:], RULES[:1])[0].keys == []


@pytest.mark.parametrize(
    ("metric", "base", "head", "ratio"),
    [
        ("start", {"warm_first_call_seconds": 0.1}, {"warm_first_call_seconds": 0.2}, 2),
        ("memory", {"peak_bytes": 10 * 2**20}, {"peak_bytes": 200 * 2**20}, 201 / 11),
    ],
)
def test_a_slower_start_or_more_memory_is_found_by_its_own_metric_alone(metric, base, head, ratio):
    rows = [row(side, k, **of_side) for k in range(TESTED) for side, of_side in (("base", base), ("head", head))]
    measured, sampling = of_records(rows, RULES), Sampling(1)
    sampling.unsettled(measured)
    found = {finding.metric: finding for finding in verdicts(measured, sampling)}
    assert [name for name, one in found.items() if one.verdict == "slower"] == [metric]
    assert {one.verdict for one in found.values()} == {"slower", "same"}
    assert found[metric].ratio == pytest.approx(ratio)
    assert found[metric].head / found[metric].base == pytest.approx(ratio)


@pytest.mark.parametrize("unknown", [0, TESTED - 1])
def test_memory_that_is_not_known_is_no_finding(unknown):
    """As of JAX on a GPU, in some replicates."""
    rows = [row(side, k, peak_bytes=41 * 2**20) for k in range(TESTED) for side in ("base", "head")]
    rows[2 * unknown].peak_bytes = None
    assert [len(found.keys) for found in of_records(rows, RULES)] == [1, 1, 0]
