"""Many runs: side by side where one machine made them."""

import pytest

from benchmarks.metadata import name_and_driver
from reports import history
from reports.report import Report
from tests.helpers.answers import report_of
from tests.helpers.records import failed, save, trained, with_baseline


def reported(folder, run_id, ratio=2.0, rows=(), **machine):
    """A run in which `other` takes so many times as long as the baseline; its ratio has an interval."""
    rows = [*trained("base", 1e-3), *trained("other", ratio * 1e-3), *rows]
    for row in rows:
        row["run_id"] = run_id
        for turn in row["turns"] or ():
            turn["seconds"] *= 1 + 0.002 * (row["implementation"] == "other") * (row["replicate"] % 2)
    return report_of(save(folder / run_id, rows, run_id, **machine), run_id)


def series(runs):
    """By machine, the days and the ratios of `other`."""
    past = history.history(runs)
    other = past[past["implementation"] == "other"]
    return {
        str(machine): [(row.run_id[6:8], round(row.ratio, 1)) for row in rows.sort_values("run_id").itertuples()]
        for machine, rows in other.groupby("machine")
    }


def test_runs_of_one_machine_stand_together_in_the_order_of_their_dates(tmp_path):
    runs = [reported(tmp_path, f"2026010{day}T000000-a", ratio) for day, ratio in ((2, 1.2), (1, 1.1))]
    runs += [reported(tmp_path, "20260103T000000-a", 1.3, gpu="a gpu")]
    assert series(runs) == {
        "a cpu, 2 threads": [("01", 1.1), ("02", 1.2)],
        "a cpu + a gpu, 2 threads": [("03", 1.3)],
    }


EPYC = {"cpu": "AMD EPYC", "family": 26, "model": 2, "stepping": 1, "instructions": ["AVX-512"]}


@pytest.mark.parametrize(
    "other",
    [
        {"family": 25}, {"family": None}, {"model": 3}, {"stepping": 2}, {"instructions": ["AVX2"]},
        {"caches": {"L2": 1}}, {"gpu": "a gpu"},
    ],
)  # fmt: skip
def test_processors_of_one_name_are_two_machines(other, tmp_path):
    """Two were called "AMD EPYC": 211 GFLOP/s on one, 490 on the other."""
    machines = (EPYC, {**EPYC, "system": "Linux 7"}, {**EPYC, **other})
    runs = [reported(tmp_path, f"2026010{day}T000000-a", **known) for day, known in enumerate(machines, 1)]
    assert sorted(map(len, series(runs).values())) == [1, 2]


def test_what_failed_or_has_another_baseline_is_not_made_up(tmp_path):
    broken = [failed("bad", 0, "crashed", "SIGSEGV", workload="sequence", mode="train_step")]
    runs = [reported(tmp_path, "20260101T000000-a"), reported(tmp_path, "unknown-1", rows=broken)]
    past = history.history(runs)
    assert set(past["implementation"]) == {"base", "other"}
    run = with_baseline(runs[1].run, "other")
    assert len(history.history([runs[0], Report(run, runs[1].summary, "x")])) == 2


def test_a_gpus_driver_makes_no_other_machine(tmp_path):
    runs = [reported(tmp_path, f"2026010{day}T000000-a", gpu=f"H100, {day}70.1") for day in (1, 2)]
    assert list(series(runs)) == ["a cpu + H100, 2 threads"]
    assert [name_and_driver(gpu) for gpu in (None, "H100", "A, B, 5")] == [("", ""), ("H100", ""), ("A, B", "5")]


def test_three_runs_of_a_machine_are_a_history_with_the_oldest_first(tmp_path):
    runs = [
        reported(tmp_path, "20260103T000000-a", 2.0),
        reported(tmp_path, "20260102T000000-a", 2.0, rows=trained("a", 1e-3, track="tuned")),
        reported(tmp_path, "20260101T000000-a", 1.0, rows=trained("z", 1e-3, problem="alone")),
    ]
    (table,) = history.tables(runs)
    assert table.title == "p · sequence · train_step · cpu · a cpu, 2 threads"
    assert [column.name[:8] for column in table.columns] == ["implemen", "20260101", "20260102", "20260103"]
    cells = [[column.cell(row)[:4] for column in table.columns] for row in table.rows]
    assert cells == [["base", "1.00", "1.00", "1.00"], ["othe", "1.00", "2.00", "2.00"], ["a", "–", "1.00", "–"]]
    assert history.tables(runs[:2]) == []
