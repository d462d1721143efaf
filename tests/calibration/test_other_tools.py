"""The rules of other tools, as they publish them."""

import numpy as np
import pytest

from benchmarks.calibration import other_tools
from benchmarks.calibration.other_tools import Tool


def test_other_tools_follow_their_published_rules():
    rng = np.random.default_rng(0)
    same, again = (list(rng.normal(1, 0.005, (20, 24))) for _ in range(2))
    slower, little = ([x * factor for x in again] for factor in (1.12, 1.04))
    for name, tool in other_tools.OTHER_TOOLS.items():
        assert tool.rule(same, slower), name
        assert not tool.rule(slower, same), name
    # 4 % is below what two of them look at, and pyperf looks at no size at all
    assert [tool.rule(same, little) for tool in other_tools.OTHER_TOOLS.values()] == [False, False, True]


def test_asv_takes_five_samples_in_each_of_two_rounds():
    base = [np.ones(24), np.ones(24)]
    late = [np.r_[np.ones(5), np.full(19, 9.0)]] * 2
    assert not other_tools.asv(base, late)
    assert other_tools.asv(base, [np.full(5, 1.2)] * 2)
    assert not other_tools.asv([np.ones(1)] * 2, [np.full(1, 9.0)] * 2)  # too few for any p below 0.002


@pytest.mark.parametrize(("interleaved", "order"), [(False, ([0, 1], [2, 3])), (True, ([0, 2], [1, 3]))])
def test_base_runs_before_head_or_takes_turns_with_it(interleaved, order):
    assert Tool(other_tools.asv, 2, interleaved=interleaved).order([0, 1, 2, 3]) == order
