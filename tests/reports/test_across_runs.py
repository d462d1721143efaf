"""Runs side by side."""

from reports.across_runs import across_runs
from reports.report import Report
from reports.summary import summarise
from tests.helpers.records import save, trained


def reported(folder, run_id, other, **changes):
    """A run in which `other` takes so many times as long as the baseline."""
    rows = trained("base", 1e-3, run_id=run_id) + trained("other", other * 1e-3, run_id=run_id, **changes)
    for row in rows[4:]:  # a ratio that differs between replicates, so that it has an interval
        for turn in row["turns"]:
            turn["seconds"] *= 1 + 0.002 * (row["replicate"] % 2)
    run = save(folder / run_id, rows, run_id)
    return Report(run, summarise(run), run_id)


def cells(table):
    return [[column.cell(row) for column in table.columns] for row in table.rows]


def test_a_row_is_an_implementation_and_a_column_a_run_the_oldest_first(tmp_path):
    runs = [reported(tmp_path, f"2026010{day}T000000-a", day) for day in (2, 1)]
    (table,) = across_runs(runs).tables
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
    assert len(across_runs(runs).tables) == 1
    assert across_runs(runs[:1]).tables == []


def test_rows_are_in_the_order_of_the_tracks_and_a_missing_one_is_a_dash(tmp_path):
    rows = trained("z", 1e-3, run_id="b", track="default") + trained("base", 1e-3, run_id="b")
    run = save(tmp_path / "b", rows, "b")
    runs = [reported(tmp_path, "a", 2, track="tuned"), Report(run, summarise(run), "b")]
    (table,) = across_runs(runs).tables
    assert [row[0] for row in cells(table)] == ["base", "z", "other"]
    assert cells(table)[1][1] == "–"
