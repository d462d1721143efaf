"""Which rows have left the intervals of their earlier rounds, on simulated rounds whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from reports import history, past

pytestmark = pytest.mark.nightly
WITHIN, BETWEEN, REPLICATES = 0.02, 0.03, 4
LABEL = "a machine, 2 threads"


def simulated(releases, speeds, move=None, seed=1):
    """Rounds of 40 LSTMs, one a day, each with the release and the peak of that day.

    `move` maps the number of a round to the factors of some LSTMs.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for number, (release, speed) in enumerate(zip(releases, speeds, strict=True)):
        day = {"round": f"202612{number + 1:02d}T000000-r", "machine": LABEL, "commit": "c"}
        day |= {"speed": speed, "speed_error": 0.0}
        where = {"problem": "p", "workload": "sequence", "mode": "train_step", "device": "cpu", "digest": "d"}
        row = {**day, **where, "time": -7.0, "time_explained": 1e-4, "time_replicates": REPLICATES}
        rows.append({**row, "implementation": "torch_lstm", "versions": "torch 2.13.0", "ratio": np.nan})
        for k in range(40):
            ratio = rng.normal(0, BETWEEN) + np.median(rng.normal(0, WITHIN, REPLICATES))
            ratio += np.log((move or {}).get(number, {}).get(k, 1.0))
            rows.append({**row, "implementation": f"lstm{k}", "versions": release, "ratio": ratio})
    return pd.DataFrame(rows).assign(ratio_explained=1.19 * WITHIN**2 / REPLICATES, ratio_replicates=REPLICATES)


@pytest.fixture
def moved(monkeypatch):
    def of(rounds):
        monkeypatch.setattr(history, "read", lambda: rounds)
        return past.moved(LABEL)

    return of


OLD, NEW = "jax 0.10.2, Python 3.11.7", "jax 0.12.0, Python 3.11.7"


def test_a_ratio_that_leaves_its_earlier_intervals_is_named(moved):
    """Its newest release is slower by a half; another one is as slow as in one of two earlier releases."""
    releases = ["jax 0.9.0, Python 3.11.7"] * 4 + [OLD] * 5 + [NEW] * 3
    slower = {number: {7: 1.5} for number in (9, 10, 11)}
    back = {number: {8: 1.5} for number in (0, 1, 2, 3, 9, 10, 11)}
    move = {number: slower.get(number, {}) | back.get(number, {}) for number in range(12)}
    rows = moved(simulated(releases, [100.0] * 12, move))
    assert rows["implementation"].tolist() == ["lstm7"]
    said = past.sentence(next(rows.itertuples()))
    assert said.startswith("lstm7, train_step of sequence at p: ")
    assert "with jax 0.10.2 on 2026-12-05 to 2026-12-09, 1." in said
    assert said.endswith("with jax 0.12.0 on 2026-12-10 to 2026-12-12")


def test_what_differs_as_rounds_do_is_not_named(moved):
    """Of 2,000 rows, of which none has moved."""
    found = [len(moved(simulated([OLD] * 6 + [NEW], [100.0] * 7, seed=seed))) for seed in range(50)]
    assert sum(found) <= 2


def test_a_ratio_is_compared_where_the_peak_was_such(moved):
    """With the faster peak all ratios are another; no release has two peaks."""
    move = dict.fromkeys((6, 7, 8), dict.fromkeys(range(40), 1.5))
    assert moved(simulated([OLD] * 6 + [NEW] * 3, [100.0] * 6 + [120.0] * 3, move)).empty
    assert len(moved(simulated([OLD] * 6 + [NEW] * 3, [100.0] * 9, move))) == 40


def test_a_new_release_of_the_baseline_is_one_of_the_ratio(moved):
    rounds = simulated([OLD] * 9, [100.0] * 9, {number: {3: 1.5} for number in (6, 7, 8)})
    is_new = (rounds["implementation"] == "torch_lstm") & (rounds["round"] > "20261207")
    rounds.loc[is_new, "versions"] = "torch 2.15.0"
    rows = moved(rounds)
    assert rows["implementation"].tolist() == ["lstm3"]
    assert past.sentence(next(rows.itertuples())).endswith("with torch_lstm's torch 2.15.0 on 2026-12-07 to 2026-12-09")


def test_a_round_has_the_interval_of_a_run_of_it_alone(monkeypatch):
    """Where nothing moved, another round lies within in 95 of 100 cases."""
    rounds = simulated([OLD] * 12, [100.0] * 12)
    monkeypatch.setattr(history, "read", lambda: rounds)
    rows = past.rounds(LABEL)
    shown = past.with_intervals(rows, history.lasting_on(LABEL, rows, "ratio"))
    pairs = shown.merge(shown, on="implementation", suffixes=("", "_next"))
    pairs = pairs[pairs["round"] != pairs["round_next"]]
    assert 0.93 <= pairs["value_next"].between(pairs["low"], pairs["high"]).mean() <= 0.97
