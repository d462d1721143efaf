"""Rules of other tools and a t test, on pools whose truth is known."""

import dataclasses
import sys

import numpy as np
import pytest
from scipy import stats

from benchmarks.calibration import rates, report
from benchmarks.calibration.other_rules import PAIRED, TOOLS, counts_of_others, paired_t, windows
from benchmarks.calibration.pool import BASE, COPY
from benchmarks.calibration.replay import RULES
from tests.helpers.pools import simulated


def test_the_t_test_has_the_level_and_the_power_that_theory_gives():
    """Of 8 replicates, though there are more, one-sided, at 1 % over the benchmarks."""
    sd, slowdown = 0.01, 0.012
    logs = np.random.default_rng(1).normal(0, sd, (3, 20_000, 12, 9))
    logs[0, :, :, 8] = 9.0
    slower, replicates = paired_t(RULES, logs, logs, logs)
    assert slower.shape == (1, 20_000, 12)
    assert (replicates == 8).all()
    assert slower.any(axis=2).mean() == pytest.approx(1 - (1 - 0.01 / 12) ** 12, abs=0.002)
    slower, _ = paired_t(RULES, logs + slowdown, logs, logs)
    limit = stats.t.ppf(1 - 0.01 / 12, 7)
    power = 1 - stats.nct.cdf(limit, 7, slowdown / sd * np.sqrt(8))
    assert slower.mean() == pytest.approx(power, abs=0.005)
    faster, _ = paired_t(RULES, logs - 0.1, logs, logs)
    assert not faster.any()


def equal(replicates):
    """A pool in which all replicates and both copies are the same, but not the turns of one."""
    pool = simulated(1, 0.0, rounds=1)
    sides = {name: {BASE: of[BASE], COPY: of[BASE]} for name, of in pool.replicates[0].sides.items()}
    return dataclasses.replace(pool, replicates=[dataclasses.replace(pool.replicates[0], sides=sides)] * replicates)


@pytest.mark.process  # asv asks uname
@pytest.mark.parametrize(
    ("name", "unseen", "seen"),
    [("pytest-benchmark, median:5%", 0.049, 0.051), ("asv continuous", 0.09, 0.11), ("pyperf compare_to", 0.0, 0.01)],
)
def test_a_tool_finds_what_it_says_it_does_and_nothing_on_equal_sides(name, unseen, seen):
    count = TOOLS[name].count
    pool = equal(44)
    assert [count(pool, slowdown).rate for slowdown in (0.0, -0.5, unseen)] == [0, 0, 0]
    assert [count(pool, slowdown).rate for slowdown in (seen, 0.5)] == [1, 1]
    assert count(equal(1), 0.5) is None


def test_a_false_alarm_is_of_a_gate_and_a_find_of_a_benchmark():
    """One of six benchmarks of head is slower in every comparison."""
    pool = equal(6)
    sides = pool.replicates[0].sides
    name = pool.benchmarks[0]
    slow = dataclasses.replace(sides[name][COPY], seconds=1.06 * sides[name][COPY].seconds)
    sides[name] = {BASE: sides[name][BASE], COPY: slow}
    tool = TOOLS["pytest-benchmark, median:5%"]
    assert tool.count(pool, 0.0).rate == 1
    assert tool.count(pool, 0.01).rate == pytest.approx(1 / 6)


def test_limits_come_from_drawing_the_rounds_anew():
    """In two of four rounds, head is slower. Comparisons of a round are not independent."""
    slow = [np.array([0, 0, 10, 10]), np.array([10, 10, 10, 10]), 1]
    found = rates.of_rounds(*slow)
    assert (found.rate, found.gates, found.independent) == (0.5, 40, 4)
    assert (found.low, found.high) == (0, 1)


def test_comparisons_that_span_rounds_are_as_few_as_have_nothing_in_common():
    """All are found. The limits are those of two of two, though there are 31 windows of 20 replicates."""
    tool = dataclasses.replace(TOOLS["pytest-benchmark, median:5%"], order=(BASE,) * 10 + (COPY,) * 10)
    pool = equal(50)
    replicates = [dataclasses.replace(one, round=str(k // 10)) for k, one in enumerate(pool.replicates)]
    pool = dataclasses.replace(pool, replicates=replicates)
    found = tool.count(pool, 0.5)
    assert (found.rate, found.gates, found.independent) == (1, 2, 2)
    assert (found.low, found.high) == (pytest.approx(0.05**0.5), 1)


def test_comparisons_lie_within_rounds_where_one_is_long_enough():
    rounds = [[0, 1, 2], [3], [4, 5]]
    assert windows(rounds, 2) == [[[0, 1], [1, 2]], [[4, 5]]]
    assert windows(rounds, 4) == [[[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]]]
    assert windows([[*range(5)]] * 2, 6) == [[[0, 1, 2, 3, 4, 0], [1, 2, 3, 4, 0, 1], [2, 3, 4, 0, 1, 2],
                                              [3, 4, 0, 1, 2, 3], [4, 0, 1, 2, 3, 4]]]  # fmt: skip
    assert [len(group) for group in windows([[*range(5)]] * 3, 6)] == [6, 4]
    assert windows(rounds, 7) == []


@pytest.mark.process
def test_a_tool_that_is_not_installed_is_left_out_and_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "asv.commands.compare", None)
    counts = counts_of_others(equal(22), {report.ALARMS: 0.0})
    assert {row for row, _ in counts} == {PAIRED, *TOOLS} - {"asv continuous"}
    known = {row: {report.ALARMS: rates.Rate(0, 0, 0, 0, 0, 1)} for row, _ in counts}
    assert report.rules(known).endswith("\n\nNot installed, or of another version: asv continuous.")
