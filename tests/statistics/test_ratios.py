"""Ratios within blocks, against the same in plain Python."""

import math
import statistics

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.statistics.ratios import block_logs, log_ratios

TURNS = st.lists(
    st.tuples(st.sampled_from([3, 7, 100, 5_000_000]), st.sampled_from([-2, 0, 1, 9]), st.floats(1e-9, 1e3)),
    max_size=40,
)
PAIRS = st.lists(st.tuples(*[st.sampled_from([-1, 3, 7, 100, 5_000_000, 42])] * 2), max_size=10)


@given(TURNS, PAIRS)
@example([(3, 0, 1.0)], [(3, 7)])  # beyond the only row
def test_a_ratio_is_the_median_over_common_blocks_of_mean_logs(turns, pairs):
    """Rows and blocks in any order and with gaps; rows that have no turn at all."""
    row, block, seconds = (np.array([turn[k] for turn in turns]) for k in range(3))
    logs = {}
    for r, b, s in turns:
        logs.setdefault(r, {}).setdefault(b, []).append(math.log(s))
    means = {r: {b: statistics.fmean(values) for b, values in blocks.items()} for r, blocks in logs.items()}
    wanted = []
    for over, under in pairs:
        one, other = means.get(over, {}), means.get(under, {})
        common = [one[b] - other[b] for b in one if b in other]
        wanted.append(statistics.median(common) if common else math.nan)
    numbers = (np.array([pair[k] for pair in pairs], int) for k in (0, 1))
    blocks = block_logs(seconds.astype(float), row.astype(int), block.astype(int))
    np.testing.assert_allclose(log_ratios(blocks, *numbers), wanted, atol=1e-12)
