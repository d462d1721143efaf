"""Many runs: side by side where one machine made them."""

import dataclasses
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from benchmarks.metadata import Commit, Machine, Metadata, name_and_driver
from benchmarks.options import Options
from reports import history
from reports.frames import Run
from reports.report import Report
from reports.summary import summarise
from tests.helpers.records import save, trained


def run(run_id, cpu="a cpu", gpu=None, threads=2):
    known = Metadata(
        machine=Machine(cpu=cpu, gpu=gpu),
        commit=Commit(id="c0ffee"),
        run=Options(run_id=run_id, threads=threads, baseline="base"),
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
    found = history.history(list(map(Report, runs, [summary(base=1.0, other=r) for r in (1.2, 1.1, 1.3, 1.4)])))
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
        {"gpu": "a gpu"},
    ],
)  # fmt: skip
def test_processors_of_one_name_are_two_machines(other):
    """Two were called "AMD EPYC": 211 GFLOP/s on one, 490 on the other."""
    runs = [on("20261124T190533-a", **EPYC), on("20261125T080000-b", **EPYC, system="Linux 7")]
    runs += [on("20261126T080000-c", **{**EPYC, **other})]
    found = history.history(list(map(Report, runs, [summary(base=1.0)] * 3)))
    assert sorted(len(rows) for _, rows in found.groupby("machine")) == [1, 2]


def test_an_older_run_without_a_family_is_of_another_machine():
    runs = [on("20261124T190533-a", cpu="AMD EPYC"), on("20261125T080000-b", cpu="AMD EPYC", family=26)]
    found = history.history(list(map(Report, runs, [summary(base=1.0)] * 2)))
    assert set(found["machine"]) == {"AMD EPYC, 2 threads", "AMD EPYC, family 26, 2 threads"}


def test_what_failed_and_what_has_no_date_is_not_made_up():
    failed = summary(base=1.0, other=2.0)
    failed.loc[failed["implementation"] == "other", "status"] = "crashed"
    found = history.history(
        list(map(Report, [run("unknown-1"), run("20261124T190533-a")], [summary(base=1.0), failed]))
    )
    assert found["implementation"].to_list() == ["base", "base"]
    assert found["date"].isna().to_list() == [False, True]


def test_a_gpus_driver_is_a_version_and_no_other_machine():
    runs = [on("20261124T190533-a", cpu="c", gpu="H100, 570.1"), on("20261125T080000-b", cpu="c", gpu="H100, 580.2")]
    on_gpu = summary(base=1.0).assign(device="cuda")
    found = history.history(list(map(Report, runs, [pd.concat([summary(base=1.0), on_gpu])] * 2)))
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


def reported(folder, run_id, other, **changes):
    """A run in which `other` takes so many times as long as the baseline."""
    rows = trained("base", 1e-3, run_id=run_id) + trained("other", other * 1e-3, run_id=run_id, **changes)
    for row in rows[4:]:  # a ratio that differs between replicates, so that it has an interval
        for turn in row["turns"]:
            turn["seconds"] *= 1 + 0.002 * (row["replicate"] % 2)
    run = save(folder / run_id, rows, run_id)
    return Report(run, summarise(run), run_id)


def tables(runs):
    return history.tables(runs, history.history(runs))


def cells(table):
    return [[column.cell(row) for column in table.columns] for row in table.rows]


def test_a_row_is_an_implementation_and_a_column_a_run_the_oldest_first(tmp_path):
    runs = [reported(tmp_path, f"2026010{day}T000000-a", day) for day in (2, 1)]
    (table,) = tables(runs)
    assert table.title == "p · sequence · train_step · cpu"
    assert [column.name for column in table.columns] == [
        "implementation",
        "20260101T000000-a · a cpu",
        "20260102T000000-a · a cpu",
    ]
    (name, first, second) = cells(table)[1]
    assert name == "other"
    assert first.startswith("1.00")
    assert second.startswith("2.00")


def test_a_benchmark_of_one_run_has_no_table(tmp_path):
    runs = [reported(tmp_path, "20260101T000000-a", 1), reported(tmp_path, "20260102T000000-a", 1)]
    assert len(tables(runs)) == 1
    assert tables(runs[:1]) == []


def test_rows_are_in_the_order_of_the_tracks_and_a_missing_one_is_a_dash(tmp_path):
    rows = trained("z", 1e-3, run_id="b", track="default") + trained("base", 1e-3, run_id="b")
    run = save(tmp_path / "b", rows, "b")
    runs = [reported(tmp_path, "a", 2, track="tuned"), Report(run, summarise(run), "b")]
    (table,) = tables(runs)
    assert [row[0] for row in cells(table)] == ["base", "z", "other"]
    assert cells(table)[1][1] == "–"
