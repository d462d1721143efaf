"""Faster, slower or unclear, and the fastest of a track."""

import numpy as np
import pandas as pd
import pytest

from reports import estimates, frames, tables
from reports.estimates import Blocks
from reports.report import Report
from reports.summary import summarise
from reports.verdict import fastest, verdicts
from tests.helpers.records import PUBLISHED, record, save, spread_out, trained


def frame(groups, names="other"):
    found = estimates.intervals(groups).add_prefix("ratio_")
    return found.assign(ratio=found["ratio_value"], implementation=names)


@pytest.mark.process
def test_runs_without_a_difference_raise_false_alarms_at_the_nominal_rate():
    """20 comparisons a run, Holm at 5 % so that a rate can be seen: 2000 runs, so ±1 % is two standard errors.

    Borrowing is held back a little, so the rate may lie below the nominal one; above it may not.
    """
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(2000):
        spreads = 0.02 * np.sqrt(6.0 / rng.chisquare(6.0, 20))
        alarms += (verdicts(frame([rng.normal(0, s, 6) for s in spreads]), alpha=0.05) != "unclear").any()
    assert 0.02 * 2000 <= alarms <= 0.06 * 2000, alarms


def test_there_are_three_verdicts():
    rng = np.random.default_rng(13)
    groups = [rng.normal(np.log(ratio), 0.01, 6) for ratio in (0.5, 1.0, 2.0)]
    assert list(verdicts(frame(groups, ["a", "b", "c"]))) == ["faster", "unclear", "slower"]


def test_one_replicate_is_unclear_and_not_counted():
    ratios = pd.DataFrame({"ratio": 2.0, "ratio_p": 0.008, "ratio_n": [4, 1], "implementation": ["a", "b"]})
    assert list(verdicts(ratios)) == ["slower", "unclear"]


def by_name(summary, values):
    return dict(zip(summary["implementation"], values, strict=True))


def test_the_fastest_is_the_one_that_all_others_are_slower_than(tmp_path):
    summary = summarise(spread_out(tmp_path, base=(1e-3, 0.001), quick=(0.9e-3, 0.001), slow=(2e-3, 0.001)))
    assert by_name(summary, summary["fastest"]) == {"quick": "yes", "base": "", "slow": ""}


def test_it_is_unclear_where_the_first_two_can_not_be_told_apart(tmp_path):
    run = spread_out(tmp_path, base=(1e-3, 0.02), near=(0.999e-3, -0.02), slow=(2e-3, 0.02))
    summary = summarise(run)
    assert by_name(summary, summary["fastest"]) == {"base": "unclear", "near": "unclear", "slow": ""}


def test_tracks_are_never_mixed(tmp_path):
    rows = []
    levels = {"base": (1e-3, "default"), "slow": (2e-3, "default"), "best": (0.5e-3, "tuned"), "other": (7e-4, "tuned")}
    for name, (seconds, track) in levels.items():
        rows += trained(name, seconds, track=track)
    run = save(tmp_path, rows)
    summary = summarise(run)
    assert set(summary.loc[summary["fastest"] == "yes", "implementation"]) == {"base", "best"}
    section = next(tables.sections(Report(run, summary)))
    assert [row.implementation for row in section.rows] == ["base", "slow", "best", "other"]


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda path: path.name)
def test_the_ranking_never_contradicts_the_verdict(folder):
    """A pair that holds the baseline has one verdict: one that is slower is never unclear, nor the reverse."""
    summary = summarise(frames.read_run(folder)).set_index(["problem", "workload", "mode", "track"])
    for key, rows in summary.groupby(level=[0, 1, 2, 3]):
        first = rows[(rows["verdict"] == "baseline") & (rows["fastest"] != "")]
        assert not (len(first) and ((rows["verdict"] == "slower") & (rows["fastest"] == "unclear")).any()), key
        beside = rows[(rows["fastest"] == "yes") & (rows["implementation"] != "torch_lstm")]
        if (rows["verdict"] == "baseline").any():
            assert set(beside["verdict"]) <= {"faster"}, key


@pytest.mark.parametrize(("word", "wanted"), [("unclear", "unclear"), ("faster", "yes")])
def test_the_fastest_beside_the_baseline_is_faster_than_it(word, wanted, tmp_path):
    """Verdicts and ranking correct for different comparisons, so they may differ; then the verdict decides."""
    run = spread_out(tmp_path, base=(1e-3, 0.001), quick=(0.5e-3, 0.001))
    summary = summarise(run)
    changed = summary.assign(verdict=summary["verdict"].where(summary["implementation"] != "quick", word))
    assert by_name(summary, fastest(changed, Blocks(run.turns, run.records))) == {
        "quick": wanted,
        "base": "unclear" if wanted == "unclear" else "",
    }


def test_one_replicate_ranks_nothing(tmp_path):
    summary = summarise(save(tmp_path, [record("base", 0, 1e-3), record("quick", 0, 0.5e-3)]))
    assert set(summary["fastest"]) == {""}


def test_an_arm_without_a_common_block_ranks_nothing(tmp_path):
    """The negative control: with common blocks one is the fastest."""
    rows = trained("base", 1e-3) + trained("other", 2e-3) + trained("third", 3e-3)
    assert "yes" in set(summarise(save(tmp_path / "common", rows))["fastest"])
    for row in rows[-4:]:
        for turn in row["turns"]:
            turn["block"] += 10
    assert set(summarise(save(tmp_path / "apart", rows))["fastest"]) == {""}
