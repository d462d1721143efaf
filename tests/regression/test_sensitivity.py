"""What a gate says that it would find, and call slower by mistake, against gates that are simulated by its own rule."""

import math

import numpy as np
import pytest

from benchmarks.calibration.replay import run_gates
from benchmarks.regression import findings, sensitivity
from benchmarks.regression.decision import MOST, Evidence, GateKey, LogRatios, Rule, Sampling
from benchmarks.regression.outcome import NOISY
from benchmarks.regression.sensitivity import LASTS, least_found, smallest_and_alarms

TIME = Rule("time", 0.02, share=0.8)


def called(logs):
    """What gates call slower, by log ratios of shape (gates, benchmarks, MOST)."""
    times = logs[None]
    return run_gates([TIME], times, np.ones_like(times), np.ones_like(times))[0][0]


def measured(logs):
    """The findings of a gate whose replicates have these log ratios, shape (benchmarks, MOST)."""
    keys = [GateKey(f"{number} b") for number in range(len(logs))]
    n = np.ones(len(keys), int)
    sampling = Sampling(len(keys))
    while True:
        ratios = LogRatios(TIME, logs, np.ones_like(logs), np.ones_like(logs), n, keys)
        unsettled = sampling.unsettled([ratios])
        if not unsettled:
            return findings.verdicts([ratios], sampling)
        n = n + [key in unsettled for key in keys]


@pytest.mark.parametrize("sd", [0.002, 0.008, 0.015, 0.03])
def test_the_least_slowdown_that_a_gate_finds_is_where_its_rule_begins_to_call_it_slower(sd):
    logs = sd * np.random.default_rng(1).standard_normal((300, MOST))
    looks = [
        LogRatios(TIME, logs[:, None], logs[:, None], logs[:, None], np.full((300, 1), n)).evidence(1)
        for n in range(1, MOST + 1)
    ]
    mean, spread = (np.concatenate([getattr(look, name) for look in looks], axis=1) for name in ("mean", "sd"))
    n = np.arange(1, MOST + 1)
    least = least_found(Evidence(mean, spread, np.maximum(n - 1, 1e-3), n, np.full(MOST, np.inf), TIME, looks[0].level))
    assert least.std() > sd / 100
    for beyond, share in ((-1e-5, 0.0), (1e-5, 1.0)):
        found = called((logs + (least + beyond)[:, None])[:, None])
        assert found.mean() == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    ("benchmarks", "sd", "lasts"),
    [
        *[(12, 0.004, 0.02), (12, 0.03, 0.02), (2, 0.004, 0.02), (1, 0.004, 0.02), (1, 0.03, 0.02)],
        (2, 0.008, 0.5),  # more than the test allows for
    ],
)
def test_what_is_said_to_be_found_is_found_in_nine_gates_of_ten(benchmarks, sd, lasts, monkeypatch):
    """One benchmark gets slower by what an earlier gate, in which nothing changed, has said of it."""
    monkeypatch.setattr(sensitivity, "LASTING", lasts)
    rng = np.random.default_rng(2)
    said = [measured(sd * gate)[0].smallest for gate in rng.standard_normal((20, benchmarks, MOST))]
    logs = sd * rng.standard_normal((900, benchmarks, MOST))
    logs += math.sqrt(lasts) * sd * rng.standard_normal((900, benchmarks, 1))
    logs[:, 0] += np.log1p(np.resize(said, (900, 1)))
    assert 0.85 <= called(logs)[:, 0].mean() <= 0.98


@pytest.mark.parametrize("sd", [0.006, 0.012, 0.02])
def test_false_alarms_by_what_lasts_are_as_many_as_is_said(sd):
    rng = np.random.default_rng(3)
    logs = sd * rng.standard_normal((600, 12, MOST))
    lasting = math.sqrt(LASTS) * sd * rng.standard_normal((600, 12, 1))
    rate = called(logs + lasting).any(axis=1).mean()
    said = np.mean([sum(finding.alarms for finding in measured(gate)) for gate in logs[:12]])
    assert said == pytest.approx(rate, abs=0.02)
    assert (said > NOISY) == (sd == 0.02)


def test_nothing_is_said_of_one_replicate_or_of_a_rule_with_a_floor():
    for rule, n in ((TIME, 1), (Rule("start", 0.25, floor=0.05), 8)):
        seen = LogRatios(rule, np.zeros((1, 8)), np.ones((1, 8)), np.ones((1, 8)), np.array([n])).evidence(1)
        assert smallest_and_alarms(seen[0]) == (None, None)


def test_no_size_is_said_where_two_replicates_differ_widely():
    logs = np.array([[-0.5, 0.5]])
    smallest, alarms = smallest_and_alarms(LogRatios(TIME, logs, logs, logs, np.array([2])).evidence(1)[0], 2)
    assert smallest is None
    assert 0 <= alarms < 0.01
