"""The gate replayed on the published pools gives the published figures."""

import math
import re

import numpy as np
import pytest
from scipy import stats

from benchmarks.calibration import assumptions, rates, report
from benchmarks.calibration.injection import SHARES
from benchmarks.calibration.pool import BASE, COPY, Pool
from benchmarks.calibration.rates import Count, by_chance
from benchmarks.calibration.real_gates import gates_listed, gates_of, gates_summed_up
from benchmarks.calibration.replay import MARGIN, Case, Head, Replay
from benchmarks.regression import decision
from tests.helpers.gates import gate
from tests.helpers.processes import ROOT

PUBLISHED = ROOT / "reports" / "published"
FOLDER = PUBLISHED / "calibration-family-25-model-1"  # whose table is in the README
MACHINES = {"Zen 3": FOLDER, "Zen 5": PUBLISHED / "calibration-family-26"}
MACHINES["Xeon"] = PUBLISHED / "calibration-family-6-model-167"


@pytest.fixture(scope="module")
def pools():
    return {name: Pool.load(folder / "pool") for name, folder in MACHINES.items()}


@pytest.fixture
def pool(pools):
    return pools["Zen 3"]


@pytest.fixture(params=MACHINES)
def machine(request, pools):
    """Each pool, and its folder."""
    return pools[request.param], MACHINES[request.param]


def published(rule, folder=FOLDER):
    """The cells of a rule's row in the published table: false alarms, then what is found at each size."""
    row = next(line for line in (folder / "calibration.md").read_text().splitlines() if line.startswith(f"| {rule} "))
    return [cell.strip() for cell in row.split("|")[2:-1]]


@pytest.mark.process
@pytest.mark.parametrize(("what", "alone"), [(report.EXACT, False), (report.OF_ONE, True)])
def test_the_gate_on_the_published_pool(pool, monkeypatch, what, alone):
    """All gates of the smallest slowdown, whose figure is neither 0 nor 1, to the digit; its bounds take too long."""
    monkeypatch.setattr(rates, "DRAWS", 1)
    held, case = pool.holding([BASE, COPY]), Case(Head(shift=math.log1p(SHARES[0])), alone=alone)
    rate = Count(held, case, report.OFTEN[SHARES[0]][0], seed=2).across_rounds(Replay(pool), 1)
    assert report.percent(rate.rate) == published(f"this gate, {what}")[1].partition(" [")[0]


@pytest.mark.process
def test_no_replay_gives_a_false_alarm(pool):
    """A part of the published gates, from the same rounds; all of them take too long."""
    rate = Count(pool.holding([BASE, COPY]), Case(), 160, seed=1).within_rounds(Replay(pool))
    assert rate.rate == 0
    assert re.fullmatch(r"0 of \d{4,} replays", published(f"this gate, {report.EXACT}")[0])


@pytest.mark.process
def test_simulated_gates_agree_with_the_replays_that_raise_no_alarm(pool):
    """The simulation's gates have rounds of their own, which may differ as much as the pool allows."""
    held = pool.holding([BASE, COPY])
    between = assumptions.between_rounds(pool, held)
    rate = Count(held, Case(), 300, seed=6).simulated(Replay(pool), between)
    assert rate.low <= by_chance(0, report.ALARM_GATES)[1]


def simulated(pool, share, gates, times=1.0):
    """Wilson's interval of how often a slowdown is found in gates of independent normal log ratios.

    Their spreads are `times` those of the pool. The benchmarks get the slowdown one after the other.
    """
    rng, found, held = np.random.default_rng(1), 0, pool.holding([BASE, COPY])
    spreads = [times * float(np.std(pool.logs(held, COPY, name), ddof=1)) for name in pool.benchmarks]
    for k in range(gates):
        target = k % len(spreads)
        effects = [math.log1p(share) if j == target else 0.0 for j in range(len(spreads))]
        found += f"b{target}" in gate(rng, spreads, effects, rule=decision.rules(MARGIN)[0])[0]
    return stats.binomtest(found, gates).proportion_ci(method="wilson")


@pytest.mark.process
@pytest.mark.parametrize("size", range(len(SHARES)))
def test_the_simulation_that_planned_the_gate_agrees_with_the_replay(machine, size):
    """Within their intervals: that of the simulation's gates, and the published one over rounds."""
    pool, folder = machine
    low, high = simulated(pool, SHARES[size], 300)
    cell = published(f"this gate, {report.EXACT}", folder)[1 + size]
    _, least, most = (float(number) / 100 for number in re.findall(r"[\d.]+", cell))
    assert low <= most
    assert least <= high


@pytest.mark.process
def test_a_simulation_of_noisier_replicates_does_not_agree(machine):
    """The negative control: with 2.5 times the spread, +2 % is found less often than the replay finds it."""
    pool, folder = machine
    least = float(re.findall(r"[\d.]+", published(f"this gate, {report.EXACT}", folder)[1])[1]) / 100
    assert simulated(pool, SHARES[0], 60, times=2.5)[1] < least


def test_what_needs_no_replay_is_made_of_the_pool_to_the_digit(machine):
    """The assumptions, and what the injected slowdowns measured."""
    pool, folder = machine
    text = (folder / "calibration.md").read_text()
    assert "\n".join(f"- {line}" for line in report.assumed(pool)) in text
    (table,) = report.summed_up(pool)
    assert table in text
    assert (folder / "slowdowns.md").read_text() == report.slowdowns_listed(pool)


@pytest.mark.parametrize("name", ["Zen 3", "Zen 5"])
def test_each_real_gate_is_listed_and_was_right(name):
    gates, folder = gates_of(MACHINES[name]), MACHINES[name]
    assert (folder / "gates.md").read_text() == gates_listed(gates)
    assert gates_summed_up(gates) in (folder / "calibration.md").read_text()
    assert all(gate.right for gate in gates)
