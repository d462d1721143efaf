"""Many runs: side by side where one machine made them, and changes of level on series whose truth is known."""

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.metadata import Commit, Machine, Metadata, RunOptions, name_and_driver
from reports import history
from reports.frames import Run
from reports.history import change_points

STEP = np.log(1.05)


def run(run_id, cpu="a cpu", gpu=None, threads=2):
    known = Metadata(
        machine=Machine(cpu=cpu, gpu=gpu),
        commit=Commit(id="c0ffee"),
        run=RunOptions(run_id=run_id, threads=threads, baseline="base"),
    )
    return Run(Path(run_id), pd.DataFrame(), pd.DataFrame(), known)


def summary(**ratios):
    rows = pd.DataFrame({"implementation": list(ratios), "ratio": list(ratios.values())})
    estimates = dict.fromkeys(history.ESTIMATES, rows["ratio"])
    known = {"problem": "p", "workload": "w", "mode": "m", "device": "cpu", "versions": "torch 2", "status": "ok"}
    return rows.assign(**known, **estimates)


def test_runs_of_one_machine_stand_together_in_the_order_of_their_dates():
    runs = [
        run("20261125T080000-b"),
        run("20261124T190533-a"),
        run("20261126T000000-c", threads=1),
        run("20261127T000000-d", gpu="a gpu"),
    ]
    found = history.history(runs, [summary(base=1.0, other=r) for r in (1.2, 1.1, 1.3, 1.4)])
    other = found[found["implementation"] == "other"]
    assert [rows["ratio"].to_list() for _, rows in other.groupby("machine")] == [[1.4], [1.3], [1.1, 1.2]]
    assert other["date"].iloc[2] == pd.Timestamp("2026-11-24 19:05:33", tz="UTC")
    assert set(other["commit"]) == {"c0ffee"}
    assert set(other["machine"]) == {"a cpu, 2 threads", "a cpu, 1 thread", "a cpu + a gpu, 2 threads"}


def on(run_id, **known):
    made = run(run_id)
    return dataclasses.replace(made, metadata=msgspec.structs.replace(made.metadata, machine=Machine(**known)))


EPYC = {"cpu": "AMD EPYC", "family": 26, "model": 2, "stepping": 1, "instructions": ("AVX-512",)}


@pytest.mark.parametrize(
    "other",
    [
        {"family": 25}, {"model": 3}, {"stepping": 2}, {"instructions": ("AVX2",)}, {"caches": {"L2": 1}},
        {"dispatch": {"BLAS": "Haswell"}}, {"gpu": "a gpu"},
    ],
)  # fmt: skip
def test_processors_of_one_name_are_two_machines(other):
    """Two were called "AMD EPYC": 211 GFLOP/s on one, 490 on the other."""
    runs = [on("20261124T190533-a", **EPYC), on("20261125T080000-b", **EPYC, system="Linux 7")]
    runs += [on("20261126T080000-c", **{**EPYC, **other})]
    found = history.history(runs, [summary(base=1.0)] * 3)
    assert sorted(len(rows) for _, rows in found.groupby("machine")) == [1, 2]


def test_an_older_run_without_a_family_is_of_another_machine():
    runs = [on("20261124T190533-a", cpu="AMD EPYC"), on("20261125T080000-b", cpu="AMD EPYC", family=26)]
    found = history.history(runs, [summary(base=1.0)] * 2)
    assert set(found["machine"]) == {"AMD EPYC, 2 threads", "AMD EPYC, family 26, 2 threads"}


def test_what_failed_and_what_has_no_date_is_not_made_up():
    failed = summary(base=1.0, other=2.0)
    failed.loc[failed["implementation"] == "other", "status"] = "crashed"
    found = history.history([run("unknown-1"), run("20261124T190533-a")], [summary(base=1.0), failed])
    assert found["implementation"].to_list() == ["base", "base"]
    assert found["date"].isna().to_list() == [False, True]
    assert history.history([], []).empty


@pytest.mark.slow
@pytest.mark.parametrize("length", [10, 15, 20, 30, 50])
def test_noise_alone_shows_a_change_in_at_most_5_percent_of_series(length):
    """Errors that say nothing are the worst case. It is 2.8 %: of 600 series, 30 are three standard errors above."""
    series = np.random.default_rng([length, 2]).normal(0.3, 0.01, (600, length))
    alarms = sum(bool(change_points(one, np.zeros(length))) for one in series)
    assert alarms <= 0.05 * 600, alarms


@pytest.mark.slow
def test_a_lower_penalty_would_show_more(monkeypatch):
    """The negative control of the test above."""
    monkeypatch.setattr(history, "PENALTY", 6.0)
    series = np.random.default_rng(6).normal(0.3, 0.01, (200, 20))
    assert sum(bool(change_points(one, np.zeros(20))) for one in series) > 0.05 * 200


@pytest.mark.slow
@pytest.mark.parametrize("at", [5, 10, 15])
def test_a_step_of_5_percent_in_noise_of_1_percent_is_found_where_it_is(at):
    rng = np.random.default_rng(2)
    series = rng.normal(0, 0.01, (300, 20))
    series[:, at:] += STEP
    found = [change_points(one, np.full(20, 0.01)) for one in series]
    held = np.mean([len(points) == 1 and abs(points[0] - at) <= 1 for points in found])
    assert held >= 0.95, held


def test_two_steps_are_two_changes():
    values = np.random.default_rng(3).normal(0, 0.01, 30)
    values[10:20] += STEP
    assert change_points(values, np.full(30, 0.01)) == pytest.approx([10, 20], abs=1)


def test_below_8_points_nothing_is_said_however_large_the_step():
    values = np.array([0.0, 0, 0, 0, 1, 1, 1, 1])
    assert change_points(values, np.full(8, 1e-3)) == [4]
    assert change_points(values[1:], np.full(7, 1e-3)) == []


def test_one_run_that_stands_out_is_no_change():
    values = np.random.default_rng(4).normal(0, 0.01, 20)
    values[9] += 0.1
    assert change_points(values, np.full(20, 0.01)) == []


def test_a_step_within_the_values_own_errors_is_no_change():
    """The negative control: the same step is one where the errors are small."""
    values = np.where(np.arange(20) < 10, 0.0, STEP) + np.random.default_rng(5).normal(0, 1e-3, 20)
    assert change_points(values, np.full(20, 1e-3)) == [10]
    assert change_points(values, np.full(20, STEP)) == []
    assert change_points(values, np.full(20, np.inf)) == [10]


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(-1, 1), st.floats(0.01, 100))
def test_level_and_scale_do_not_matter(seed, level, scale):
    values = np.random.default_rng(seed).normal(0, 1, 20)
    values[8:] += 8
    assert change_points(level + scale * values, np.zeros(20)) == change_points(values, np.zeros(20))


def test_a_constant_has_no_change():
    assert change_points(np.full(20, 0.3), np.zeros(20)) == []


def test_a_gpus_driver_is_a_version_and_no_other_machine():
    runs = [on("20261124T190533-a", cpu="c", gpu="H100, 570.1"), on("20261125T080000-b", cpu="c", gpu="H100, 580.2")]
    on_gpu = summary(base=1.0).assign(device="cuda")
    found = history.history(runs, [pd.concat([summary(base=1.0), on_gpu])] * 2)
    assert len(set(found["machine"])) == 1
    of = found.groupby("device")["versions"].agg(list)
    assert of["cuda"] == ["torch 2, driver 570.1", "torch 2, driver 580.2"]
    assert of["cpu"] == ["torch 2", "torch 2"]


@pytest.mark.parametrize(
    ("gpu", "parts"),
    [(None, ("", "")), ("H100", ("H100", "")), ("H100, 580.2", ("H100", "580.2")), ("A, B, 5", ("A, B", "5"))],
)
def test_a_gpu_has_a_name_and_a_driver(gpu, parts):
    assert name_and_driver(gpu) == parts
