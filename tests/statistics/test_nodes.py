"""Ratios over nodes, on simulated fleets whose truth is known."""

import dataclasses

import numpy as np
import pytest

from benchmarks.statistics.nodes import DIFFERS, Combined, combined, differ

NOISE = 0.02


def fleet(rng, nodes, replicates, truth=0.1, spread=0.0, noise=NOISE):
    """The log ratios of each node's replicates: nodes differ by `spread`, replicates by about `noise`."""
    own = noise * rng.uniform(0.5, 2, nodes)
    return [rng.normal(rng.normal(truth, spread), sd, replicates) for sd in own]


@pytest.mark.parametrize(("nodes", "replicates", "spread"), [(2, 4, 0.02), (8, 4, 0.0), (8, 4, 0.1), (30, 5, 0.02)])
def test_the_interval_over_nodes_holds_the_truth(nodes, replicates, spread):
    rng = np.random.default_rng(1)
    found = [combined(fleet(rng, nodes, replicates, spread=spread)) for _ in range(300)]
    held = np.mean([one.low <= 0.1 <= one.high for one in found])
    assert 0.91 <= held <= 0.98, held


def test_the_spread_between_nodes_is_found():
    rng = np.random.default_rng(2)
    found = np.mean([combined(fleet(rng, 20, 6, spread=0.05)).spread for _ in range(200)])
    assert found == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize(("nodes", "replicates"), [(2, 4), (8, 5)])
def test_nodes_that_are_alike_are_seldom_told_apart_and_one_that_is_ten_percent_slower_is(nodes, replicates):
    rng = np.random.default_rng(3)
    found = np.array([differ(fleet(rng, nodes, replicates)) for _ in range(1000)])
    assert 0.02 <= (found < 0.05).mean() <= 0.07
    assert 0.002 <= (found < DIFFERS).mean() <= 0.015
    slower = [
        [np.log(1.1) + first, *others] for first, *others in (fleet(rng, nodes, 4, noise=0.01) for _ in range(100))
    ]
    assert np.mean([differ(each) < DIFFERS for each in slower]) > 0.9


def test_nodes_with_different_numbers_of_replicates_are_combined():
    """As Paule and Mandel, Hartung and Knapp do, with the variance within a node pooled."""
    found = combined([np.array(node) for node in ([0.1, 0.12, 0.13], [0.2, 0.21, 0.25, 0.3, 0.22], [0.11, 0.09])])
    assert dataclasses.astuple(found) == pytest.approx(
        (0.1521149, -0.0331411, 0.3373709, 0.0721854, 5.4683e-4), rel=1e-4
    )


def test_one_node_has_no_interval():
    assert combined([np.array([0.1, 0.3])]) == Combined(0.2, -np.inf, np.inf, 0.0, 1.0)
    assert differ([np.array([0.1, 0.3])]) == 1
