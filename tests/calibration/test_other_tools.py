"""Other tools decide by their own functions, on as many processes and samples as they take, in their own order."""

import importlib.util
import re

import numpy as np
import pytest

from benchmarks.calibration import other_tools
from benchmarks.calibration.other_tools import Tool
from tests.helpers import processes


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
    base = [np.linspace(1, 1.01, 24)] * 2
    late = [np.r_[np.linspace(1, 1.01, 5), np.full(19, 9.0)]] * 2
    assert not other_tools.asv(base, late)
    assert other_tools.asv(base, [np.linspace(1.2, 1.21, 5)] * 2)


@pytest.mark.parametrize(("second", "worse"), [(2.0, True), (1.095, False)])
def test_asvs_p_value_is_exact(second, worse):
    """Ten samples against ten: U = 10 is enough for p < 0.002, and U = 11 is not. A normal distribution says 8."""
    base = np.arange(1, 11) / 100 + 1
    head = np.r_[1.005, second, base[2:] + 1]  # the first is below ten of base's, the second below none or one
    assert other_tools.asv([base[:5], base[5:]], [head[:5], head[5:]]) is worse


def test_pyperf_does_not_count_its_warm_up():
    rng = np.random.default_rng(0)
    base, head = (list(rng.normal(1, 0.005, (20, 24))) for _ in range(2))
    late = [np.r_[np.full(other_tools.PYPERF_TURNS, 9.0), seconds[other_tools.PYPERF_TURNS :]] for seconds in head]
    assert other_tools.pyperf(base, late) == other_tools.pyperf(base, head)


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.98, 1.0, 1.02])
def test_pyperfs_command_line_says_the_same(factor, tmp_path):
    rng = np.random.default_rng(2)
    base = list(rng.normal(1, 0.01, (20, 24)))
    head = [seconds * factor for seconds in rng.normal(1, 0.01, (20, 24))]
    paths = [tmp_path / name for name in ("base.json", "head.json")]
    for path, side in zip(paths, (base, head), strict=True):
        other_tools.pyperf_benchmark(side).dump(str(path))
    done = processes.python("-m", "pyperf", "compare_to", *map(str, paths))
    assert done.returncode == 0, done.stderr
    said = re.search(r"(slower|faster|not significant)", done.stdout)[1]
    assert said == {0.98: "faster", 1.0: "not significant", 1.02: "slower"}[factor]
    assert other_tools.pyperf(base, head) is (said == "slower")


def test_the_tools_are_installed_here():
    for name in ("asv", "asv_runner", "pyperf", "pytest_benchmark"):
        assert importlib.util.find_spec(name), name


@pytest.mark.parametrize(("mirrored", "order"), [(False, ([0, 1], [2, 3])), (True, ([0, 3], [1, 2]))])
def test_base_runs_before_head_or_the_second_round_is_in_reverse(mirrored, order):
    assert Tool(other_tools.asv, 2, mirrored=mirrored).order([0, 1, 2, 3]) == order


def test_windows_that_share_no_replicate_are_counted():
    tool = Tool(other_tools.asv, 2)
    assert tool.apart(tool.windows(range(11), ["a"] * 11)) == 2
    assert tool.apart(tool.windows(range(8), ["a"] * 4 + ["b"] * 4)) == 2
    assert tool.apart([]) == 0
