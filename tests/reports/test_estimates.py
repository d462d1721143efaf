"""From turns to ratios with intervals, on simulated data whose answer is known."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.metadata import Metadata
from benchmarks.options import Options
from reports import estimates
from reports.estimates import Blocks
from reports.frames import ARM, KEY, Run


def simulated(rng, replicates, blocks, ratio, noise=0.03, drift=0.2, between=0.01, problems=1):
    """A run on a machine whose speed wanders from block to block, for both arms alike; many problems at once."""
    shape = (problems, replicates, blocks, 2, 2)  # the last two: arms, and the two turns of each
    logs = rng.normal(0, drift, shape[:3])[..., None, None] + rng.normal(0, noise, shape)
    logs = logs + rng.normal(0, between, (problems, replicates, 1, 2, 1))
    logs[:, :, :, 1] += np.log(ratio)
    index = pd.MultiIndex.from_product(
        [range(problems), range(replicates), range(blocks), ("base", "other"), range(2)],
        names=["problem", "replicate", "block", "implementation", "turn"],
    )
    turns = pd.DataFrame({"seconds": 1e-3 * np.exp(logs.ravel())}, index=index).reset_index()
    turns = turns.assign(run_id="r", workload="w", mode="m", device="cpu", problem=turns["problem"].map("p{}".format))
    turns["pressure_seconds"] = turns["outside_seconds"] = np.nan  # as in a file from before they were measured
    turns["record"] = turns.groupby(KEY, sort=False).ngroup()
    records = turns.groupby(KEY, as_index=False, sort=False)["seconds"].median()
    known = Metadata(run=Options(run_id="r", baseline="base"))
    return Run(Path(), records, turns.drop(columns=KEY), known)


def ratios(run):
    blocks = Blocks(run.turns, run.records)
    return blocks.with_ratios(blocks.others("base"), "base")


@pytest.mark.parametrize("replicates", [4, 10])
def test_the_95_percent_interval_holds_the_truth_95_times_in_100(replicates):
    """The whole chain, turns → blocks → replicates → interval: 3000 comparisons, so ±0.8 % is two standard errors."""
    found = ratios(simulated(np.random.default_rng(1), replicates, 5, 1.07, problems=3000))
    held = ((found["ratio_low"] <= 1.07) & (found["ratio_high"] >= 1.07)).mean()
    assert len(found) == 3000
    assert 0.93 <= held <= 0.97, held


def test_noise_of_ratios_does_not_see_what_all_arms_share():
    """What an arm's replicates differ by is known: 3 %, so a ratio of two arms differs by √2 times that."""
    rng = np.random.default_rng(3)
    run = simulated(rng, 8, 6, 1.2, noise=1e-6, drift=0.2, between=0.03, problems=300)
    found = estimates.noise(dataclasses.replace(run, records=run.records.assign(status="ok")))
    assert found.ratios == pytest.approx(0.03 * 2**0.5, rel=0.1)
    assert found.times > 2 * 0.03
    assert not found.warning
    assert found.words == (
        f"ratios differ by {100 * found.ratios:.1f} % between replicates, times by {100 * found.times:.1f} %"
    )


def test_a_baseline_alone_has_noise_of_times_and_one_replicate_has_none():
    run = simulated(np.random.default_rng(3), 8, 6, 1.2)
    alone = run.records[run.records["implementation"] == "base"].assign(status="ok")
    names = run.records["implementation"].replace({"other": "peak"})
    for records in (alone, run.records.assign(status="ok", implementation=names)):  # the peak is no noise of a ratio
        found = estimates.noise(dataclasses.replace(run, records=records))
        assert np.isnan(found.ratios)
        assert found.words == f"times differ by {100 * found.times:.1f} % between replicates"
    once = simulated(np.random.default_rng(3), 1, 6, 1.2)
    assert estimates.noise(dataclasses.replace(once, records=once.records.assign(status="ok"))).words == ""


def test_pairs_are_those_that_are_asked_for():
    """In any order, more than once, and with arms that the run does not have."""
    run = simulated(np.random.default_rng(11), 4, 5, 1.5, problems=2)
    blocks = Blocks(run.turns, run.records)
    first, second = blocks.arms.iloc[[0, 2]], blocks.arms.iloc[[1, 3]]  # base and other, at two problems
    numerators = pd.concat([second, first, second, first.assign(implementation="none")]).set_axis(range(10, 18))
    denominators = pd.concat([first, second, second, first]).set_axis(range(10, 18))
    found = blocks.ratios(numerators, denominators["implementation"])
    assert list(found.index) == list(range(10, 18))
    assert found["ratio"].iloc[:2].to_numpy() == pytest.approx(1 / found["ratio"].iloc[2:4].to_numpy())
    assert (found["ratio"].iloc[4:6] == 1).all()
    assert found["ratio"].iloc[6:].isna().all()


def test_a_replicate_without_the_baseline_does_not_count():
    run = simulated(np.random.default_rng(12), 4, 5, 1.5)
    gone = (run.records["implementation"] == "base") & (run.records["replicate"] == 2)
    found = ratios(dataclasses.replace(run, records=run.records[~gone]))
    assert found["ratio_n"].tolist() == [3]
    assert set(ARM) <= set(found.columns)
