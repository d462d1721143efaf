"""What a report prints: whole cells at any width, and as the last lines the answer."""

import pytest

from benchmarks.tables import CleanConsole
from reports import tables, terminal
from tests.helpers.answers import report_of
from tests.helpers.records import failed, record, save, trained, with_baseline


def shown(run, width, capsys):
    """What a report prints."""
    terminal.show(report_of(run), CleanConsole(width=width), "a/run/index.html")
    return capsys.readouterr().out


def noted(turns, **changes):
    """The same turns, with what the machine did meanwhile."""
    return [{**turn, **changes} for turn in turns]


@pytest.mark.parametrize("width", [80, 190])
def test_a_terminal_shows_whole_cells_whatever_its_width(width, tmp_path, capsys):
    """Columns that do not fit are left out, and a line names them; a reason of any length stands below."""
    reason = "output[0, 2, 0] is 0.251538, want -0.278859 " * 5
    names = ("torch_lstm", "jax_scan_vjp_sharded")
    rows = [record(name, r, (163.6 + 3 * r) * 1e-6) for name in names for r in (0, 1, 2)]
    rows += [failed("mine", r, "disagrees", reason) for r in (0, 1, 2)]
    run = with_baseline(save(tmp_path, rows), "torch_lstm")
    (section,) = tables.sections(report_of(run))
    printed = shown(run, width, capsys)
    assert ("Columns left out" in printed) == (width < 190)
    columns = {column.key: column for column in section.columns}
    for row in section.rows[:2]:
        whole = next(line for line in printed.splitlines() if line.startswith(f" {row.implementation} "))
        assert all(columns[key].cell(row) in whole for key in ("time", "ratio", "verdict"))
        assert (columns["error"].cell(row) in whole) == (width == 190)
    assert f"mine, in 1 of 1 table: disagrees: {reason.split(maxsplit=1)[0]}" in printed
    assert all(len(line) <= width for line in printed.splitlines())


def test_only_the_headlines_tables_are_shown_and_no_failure_is_lost(tmp_path, capsys):
    forward = {"workload": "sequence", "mode": "forward"}
    rows = [*trained("base", 1e-3), *trained("base", 1e-3, "forward"), *trained("mine", 1e-3)]
    run = save(tmp_path, rows + [failed("mine", k, "crashed", "SIGSEGV", **forward) for k in range(4)])
    printed = shown(run, 100, capsys)
    assert "p · sequence · train_step · cpu" in printed
    assert "p · sequence · forward · cpu" not in printed
    assert "1 more table" in printed
    assert " mine, in 1 of 2 tables: crashed: SIGSEGV" in printed


def test_where_nothing_has_a_time_every_table_is_shown(tmp_path, capsys):
    run = save(tmp_path, [failed("mine", 0, "crashed", "SIGSEGV", mode=mode) for mode in ("forward", "backward")])
    assert "in 2 of 2 tables: crashed: SIGSEGV" in shown(run, 100, capsys)


TWO = [("p", "forward", 0.5), ("p", "train_step", 2.0), ("q", "forward", 2.0), ("q", "train_step", 2.0)]


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_last_lines_are_the_answer_and_the_page(width, tmp_path, capsys):
    """For each problem and mode: the baseline's time, the best of the others, its ratio with interval, its verdict."""
    rows = []
    for problem, mode, times in TWO:
        rows += trained("torch_lstm", 1e-3, mode, problem=problem)
        rows += trained("jax_scan_vjp_sharded", times * 1e-3, mode, problem=problem, track="tuned")
        rows += trained("slow", 9e-3, mode, problem=problem)
    run = with_baseline(save(tmp_path, rows), "torch_lstm")
    printed = shown(run, width, capsys)
    *_, faster, page = printed.splitlines()
    assert "a/run/index.html" in page
    assert "Use torch_lstm. " in printed
    assert faster == "Inference: jax_scan_vjp_sharded 0.50, at 1 of 2 shapes"
    best = terminal.best_others(report_of(run).sound)
    assert [(row.mode, row.where, row.implementation, row.base_seconds < 1.1e-3) for row in best.itertuples()] == [
        (mode, where, "jax_scan_vjp_sharded", True) for where in "pq" for mode in ("forward", "train_step")
    ]
    assert list(best["verdict"]) == ["faster", "slower", "slower", "slower"]


def test_a_busy_machine_is_told_even_where_no_replicate_differs(tmp_path, capsys):
    """Some implementations wait for each other's threads on a quiet machine too; so the least of them counts."""
    for share, told in ((0.05, False), (0.9, True)):
        rows = [*trained("base", 1e-3), *trained("threads", 2e-3)]
        for row in rows:
            waited = 0.9 if row["implementation"] == "threads" else share
            row["turns"] = noted(row["turns"], outside_seconds=1.0, pressure_seconds=waited)
        printed = shown(save(tmp_path / str(share), rows), 100, capsys)
        assert ("BUSY" in printed.partition("Use base.")[2]) is told
