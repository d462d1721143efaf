"""Ratios by how far apart the processors are, on simulated turns whose answer is known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from reports import state
from reports.publishing import cells
from reports.summary import summarise
from tests.helpers.records import record, save


def simulated(rng, near, far, share=0.3):
    """Records of a run whose processors are far in a share of its blocks, by the ratio of `other` to base in each."""
    is_far = rng.random(20) < share
    rows = []
    for replicate in range(4):
        for name in ("base", "other"):
            row = record(name, replicate, 1e-3)
            row["turns"] = [
                {**row["turns"][0], "block": block, "seconds": 1e-3 * np.exp(rng.normal(0, 0.01)) * factor,
                 "round_trip_seconds": 350e-9 if there else 80e-9}
                for block, there in enumerate(is_far)
                for factor in [(1.7 if there else 1.0) * ((far if there else near) if name == "other" else 1.0)]
            ]  # fmt: skip
            rows.append(row)
    return rows


def test_where_a_ratio_depends_on_the_state_each_state_has_its_own(tmp_path):
    run = save(tmp_path, simulated(np.random.default_rng(1), 0.42, 0.36))
    summary = summarise(run).set_index("implementation")
    row = summary.loc["other"]
    assert row["ratio_near"] == pytest.approx(0.42, rel=0.01)
    assert row["ratio_far"] == pytest.approx(0.36, rel=0.01)
    assert row["ratio_near_low"] < 0.42 < row["ratio_near_high"]
    text = cells.ratio(row)
    assert text.startswith("near ")
    assert ", far " in text


@pytest.mark.parametrize(("far", "share"), [(0.42, 0.3), (0.36, 0.0), (0.36, 1.0)])
def test_elsewhere_there_is_one_ratio(far, share, tmp_path):
    """The ratio is the same in both states, or there is only one of them."""
    run = save(tmp_path, simulated(np.random.default_rng(2), 0.42, far, share))
    assert state.ratios(run).empty
    assert "near" not in cells.ratio(summarise(run).set_index("implementation").loc["other"])


def test_a_round_that_was_all_far_is_no_state(tmp_path):
    """Its ratio lasts for the round, whatever the processors do: here it is another by a third."""
    rng = np.random.default_rng(4)
    near = simulated(rng, 0.42, 0.42, 0.0)
    far = [row | {"run_id": "s"} for row in simulated(rng, 0.3, 0.3, 1.0)]
    run = save(tmp_path, near)
    records = pd.concat([run.records, save(tmp_path / "far", far, run_id="s").records], ignore_index=True)
    turns = save(tmp_path / "far", far, run_id="s").turns
    both = dataclasses.replace(
        run, records=records, turns=pd.concat([run.turns, turns.assign(record=turns["record"] + len(near))])
    )
    assert state.ratios(dataclasses.replace(both, turns=both.turns.reset_index(drop=True))).empty


def test_a_run_says_how_far_apart_its_processors_were(tmp_path):
    rows = simulated(np.random.default_rng(3), 0.42, 0.36, 0.3)
    far = np.mean([turn["round_trip_seconds"] > 250e-9 for row in rows for turn in row["turns"]])
    assert f"were far in {100 * far:.2g} %" in state.words(save(tmp_path / "both", rows))
    assert not state.words(save(tmp_path / "older", [record("base", 0, 1e-3)]))
