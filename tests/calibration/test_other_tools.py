"""The rules of other tools, as they publish them."""

import random

from benchmarks.calibration import other_tools


def test_other_tools_follow_their_published_rules():
    noise = random.Random(0)
    same, again = ([[1 + noise.gauss(0, 0.005) for _ in range(24)] for _ in range(6)] for _ in range(2))
    slower = [[x * 1.12 for x in one] for one in again]
    little = [[x * 1.04 for x in one] for one in again]
    for name, rule in other_tools.OTHER_TOOLS.items():
        assert rule(same, slower), name
        assert not rule(slower, same), name
    # 4 % is below what two of them look at, and pyperf looks at no size at all
    assert [rule(same, little) for rule in other_tools.OTHER_TOOLS.values()] == [False, False, True]
