"""Faster, slower or unclear, and the fastest of a track."""

import numpy as np
import pandas as pd
import pytest

from reports import estimates, history, tables
from reports.estimates import Blocks
from reports.frames import BENCHMARK
from reports.report import Report
from reports.summary import summarise
from reports.verdict import fastest, verdicts
from tests.helpers.records import record, save, spread_out, trained


def frame(groups):
    number = np.repeat(range(len(groups)), list(map(len, groups)))
    rows = pd.DataFrame({"number": number, "round": "a", "log": np.concatenate(groups), **dict.fromkeys(BENCHMARK, "")})
    return estimates.intervals(rows, ["number", *BENCHMARK], "ratio", history.NOTHING)


def test_runs_without_a_difference_raise_false_alarms_at_the_nominal_rate():
    """20 comparisons a run, Holm at 5 % so that a rate can be seen: 500 runs, so ±2 % is two standard errors.

    Borrowing is held back a little, so the rate may lie below the nominal one; above it may not.
    """
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(500):
        spreads = 0.02 * np.sqrt(6.0 / rng.chisquare(6.0, 20))
        alarms += (verdicts(frame([rng.normal(0, s, 6) for s in spreads]), alpha=0.05) != "unclear").any()
    assert 0.01 * 500 <= alarms <= 0.07 * 500, alarms


def test_one_replicate_is_unclear_and_not_counted():
    """Of four p-values, the largest is between 1 and 2 %, and the least, times four, below 1 %."""
    known = {"ratio": [1.5, 0.5, 2.0, 2.0], "ratio_p": [0.002, 0.002, 0.015, 0.004], "ratio_n": [4, 2, 4, 1]}
    ends = {"ratio_low": [1.1, 0.3, 1.5, 1.5], "ratio_high": [1.8, 0.9, 2.5, 2.5]}
    found = verdicts(pd.DataFrame(known | ends, index=[7, 5, 3, 1]))
    assert found.to_dict() == {7: "slower", 5: "faster", 3: "unclear", 1: "unclear"}


def test_where_one_more_run_may_be_on_the_other_side_it_is_unclear():
    rows = {"ratio": 0.8, "ratio_p": [1e-9, 1e-9], "ratio_n": 5, "ratio_low": 0.6, "ratio_high": [1.02, 0.98]}
    assert verdicts(pd.DataFrame(rows)).tolist() == ["unclear", "faster"]


def by_name(summary, values):
    return dict(zip(summary["implementation"], values, strict=True))


@pytest.mark.parametrize(
    ("levels", "fastest"),
    [
        ({"base": (1e-3, 0.001), "quick": (0.9e-3, 0.001), "slow": (2e-3, 0.001)}, {"quick": "yes"}),
        ({"base": (1e-3, 0.001), "slow": (2e-3, 0.001)}, {"base": "yes"}),
        (
            {"base": (1e-3, 0.02), "near": (1.02e-3, -0.02), "slow": (2e-3, 0.02)},
            dict.fromkeys(("base", "near"), "unclear"),
        ),
        (
            {"base": (2e-3, 0.02), "near": (0.98e-3, -0.02), "same": (1e-3, 0.02)},
            dict.fromkeys(("near", "same"), "unclear"),
        ),
    ],
)
def test_the_fastest_is_the_one_that_all_others_are_slower_than(tmp_path, levels, fastest):
    summary = summarise(spread_out(tmp_path, **levels))
    assert by_name(summary, summary["fastest"]) == {**dict.fromkeys(levels, ""), **fastest}


def test_tracks_are_never_mixed(tmp_path):
    levels = {"base": (1e-3, "default"), "slow": (2e-3, "default"), "best": (0.5e-3, "tuned"), "other": (7e-4, "tuned")}
    rows = [row for name, (seconds, track) in levels.items() for row in trained(name, seconds, track=track)]
    run = save(tmp_path, rows)
    summary = summarise(run)
    assert set(summary.loc[summary["fastest"] == "yes", "implementation"]) == {"base", "best"}
    section = next(tables.sections(Report(run, summary)))
    assert [row.implementation for row in section.rows] == ["base", "slow", "best", "other"]


@pytest.mark.parametrize(("word", "wanted"), [("unclear", "unclear"), ("faster", "yes")])
def test_the_fastest_beside_the_baseline_is_faster_than_it(word, wanted, tmp_path):
    """Verdicts and ranking correct for different comparisons, so they may differ; then the verdict decides.

    Which takes the least time follows from ratios: whole times may be of different replicates.
    """
    run = spread_out(tmp_path, base=(1e-3, 0.001), quick=(0.5e-3, 0.001))
    summary = summarise(run)
    verdict = summary["verdict"].where(summary["implementation"] != "quick", word)
    changed = summary.assign(verdict=verdict, seconds=-summary["seconds"])
    found = by_name(summary, fastest(changed, Blocks(run.turns, run.records)))
    assert found == {"quick": wanted, "base": "unclear" if wanted == "unclear" else ""}


def test_one_arm_one_replicate_or_no_common_block_ranks_nothing(tmp_path):
    one = [record("base", 0, 1e-3, problem="a"), record("quick", 0, 0.5e-3, problem="a"), *trained("base", 1e-3)]
    assert set(summarise(save(tmp_path / "one", one))["fastest"]) == {""}
    rows = trained("base", 1e-3) + trained("other", 2e-3) + trained("third", 3e-3)
    ranked = summarise(save(tmp_path / "common", [*one[:2], *rows]))  # the negative control
    assert list(ranked.loc[ranked["fastest"] == "yes", "problem"]) == ["p"]
    for row in rows[-4:]:
        for turn in row["turns"]:
            turn["block"] += 10
    assert set(summarise(save(tmp_path / "apart", rows))["fastest"]) == {""}
