"""From turns to one log ratio per replicate."""

from benchmarks.measurement.timing import Turn
from benchmarks.regression.log_ratios import log_ratio


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
