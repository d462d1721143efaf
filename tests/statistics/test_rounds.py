"""Intervals hold the next round: on simulated rounds whose truth is known, and on every published pool and run."""

import numpy as np
import pytest

from benchmarks.statistics.intervals import means, t_interval
from benchmarks.statistics.rounds import lasting, mean_of_replicates, mean_of_rounds
from impls.core.text import json_text
from reports.estimates import PUBLISHED
from reports.publishing import lasting as published_rounds

WITHIN, GROUPS, TRIES = 0.02, 40, 100
KINDS = ["ratio", "time"]


def simulated(rng, between, number, replicates):
    """The values of GROUPS, shape (groups, rounds, replicates); the truth of each is 0."""
    lasts = rng.normal(0, between, (GROUPS, number, 1)) if between else 0.0
    return lasts + rng.normal(0, WITHIN, (GROUPS, number, replicates))


def holds(found, values):
    low, high = t_interval(found)
    return ((low <= values) & (values <= high)).mean()


@pytest.mark.parametrize("between", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("number", [2, 5])
def test_several_rounds_hold_one_more(between, number):
    rng, held = np.random.default_rng(1), []
    for _ in range(TRIES):
        seen = simulated(rng, between, number + 1, 2).mean(axis=2)
        held.append(holds(mean_of_rounds(means(list(seen[:, :-1]))), seen[:, -1]))
    assert 0.93 <= np.mean(held) <= 0.97, np.mean(held)


@pytest.mark.parametrize("between", [0.0, 0.01, 0.05])
def test_one_round_holds_the_mean_of_many(between):
    rng, held = np.random.default_rng(2), []
    for _ in range(TRIES):
        found = means(list(simulated(rng, between, 1, 4)[:, 0]))
        held.append(holds(mean_of_replicates(found, between), np.zeros(GROUPS)))
    assert 0.93 <= np.mean(held) <= 0.97, np.mean(held)


@pytest.mark.parametrize("between", [0.0, 0.01, 0.05])
def test_what_lasts_for_a_round_is_found(between):
    values = simulated(np.random.default_rng(3), between, 20, 3)
    assert lasting(list(map(list, values))) == pytest.approx(between, rel=0.1, abs=0.004)


def test_of_two_rounds_the_spread_of_replicates_does_not_last():
    """Their means 1 and 4 have a variance of 4.5; 1 of it comes from the two replicates of each."""
    assert lasting([[np.array([0.0, 2.0]), np.array([3.0, 5.0])]]) == pytest.approx(3.5**0.5)


@pytest.fixture(scope="module")
def published():
    return list(published_rounds.published())


def left_out(rng, logs):
    """Of all rows: the share whose interval, of four replicates of one round, holds the mean of the other rounds.

    What lasts for a round is known from the others. And the share where the interval of up to five of the others, with
    two replicates each, holds the round.
    """
    groups = published_rounds.by_round(logs)
    one, several = [], []
    for number in range(len(groups[0])):
        rest = [[values for k, values in enumerate(of) if k != number] for of in groups]
        drawn = [rng.permutation(of[number])[:4] for of in groups]
        others = np.array([np.mean([values.mean() for values in of]) for of in rest])
        one.append(holds(mean_of_replicates(means(drawn), lasting(rest)), others))
        five = rng.permutation(len(rest[0]))[:5]
        means_of_five = [[rng.permutation(of[k])[:2].mean() for k in five] for of in rest]
        several.append(holds(mean_of_rounds(means(means_of_five)), np.array([values.mean() for values in drawn])))
    return np.mean(one), np.mean(several)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_published_rounds_agree_within_their_intervals(kind, published):
    rng = np.random.default_rng(4)
    for _, name, logs in published:
        held = np.mean([left_out(rng, logs[kind]) for _ in range(10)], axis=0)
        print(f"{name}, {kind}: {np.round(100 * held, 1)} %")
        assert held.min() >= 0.90 or not name.startswith("calibration-"), (
            name
        )  # the rounds of a run are too few to tell


@pytest.mark.nightly
def test_what_reports_take_for_known_is_what_was_published(published):
    """`nox -s publish` writes it anew."""
    assert (PUBLISHED / "rounds.json").read_text() == json_text(published_rounds.by_processor(published))
