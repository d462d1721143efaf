"""The tables on a terminal."""

import pytest
from rich.console import Console

from reports import tables, terminal
from reports.report import Report
from reports.summary import summarise
from tests.helpers.records import failed, record, save, trained, with_baseline


def shown(run, width, capsys):
    terminal.show(Report(run, summarise(run)), Console(width=width))
    return capsys.readouterr().out


def test_markup_of_the_terminal_in_names_is_text(tmp_path, capsys):
    run = save(tmp_path, [record("[/b]x", r, 1e-3, problem="[/red]") for r in (0, 1)])
    assert "[/b]x" in shown(with_baseline(run, "[/b]x"), 190, capsys)


@pytest.mark.parametrize("width", [80, 100, 190])
def test_a_terminal_shows_whole_cells_whatever_its_width(width, tmp_path, capsys):
    """Columns that do not fit are left out, and a line names them; a reason of any length stands below."""
    reason = "output[0, 2, 0] is 0.251538, want -0.278859 " * 5
    names = ("torch_lstm", "jax_scan_vjp_sharded")
    rows = [record(name, r, (163.6 + 3 * r) * 1e-6) for name in names for r in (0, 1, 2)]
    rows += [failed("mine", r, "disagrees", reason) for r in (0, 1, 2)]
    run = with_baseline(save(tmp_path, rows), "torch_lstm")
    section = next(tables.sections(Report(run, summarise(run))))
    printed = shown(run, width, capsys)
    assert ("Columns left out, to fit the width" in printed) == (width < 190)
    columns = {column.key: column for column in section.columns}
    for row in section.rows[:2]:
        whole = next(line for line in printed.splitlines() if line.startswith(f" {row.implementation} "))
        assert all(columns[key].cell(row) in whole for key in ("time", "ratio", "verdict"))
        assert (columns["error"].cell(row) in whole) == (width == 190)
    assert f" mine: {reason.split(maxsplit=1)[0]}" in printed
    assert all(len(line) <= width for line in printed.splitlines())


def test_the_columns_of_least_priority_are_left_out_first(tmp_path):
    run = with_baseline(save(tmp_path, [record("torch_lstm", r, 1e-3) for r in (0, 1)]), "torch_lstm")
    sections = list(tables.sections(Report(run, summarise(run))))
    before = sections[0].columns
    for width in range(250, 40, -10):
        kept = terminal.columns_that_fit(sections, Console(width=width))
        gone = [column.priority for column in before if column not in kept]
        assert max(gone, default=0) < min(column.priority for column in kept)
        before = kept
    assert [column.key for column in kept] == ["implementation", "time", "ratio", "verdict"]


def test_without_all_only_the_headlines_tables_are_shown_and_no_failure_is_lost(tmp_path, capsys):
    rows = [row for mode in ("train_step", "forward") for row in trained("torch_lstm", 1e-3, mode)]
    rows += trained("mine", 1e-3) + [
        failed("mine", k, "crashed", "SIGSEGV", workload="sequence", mode="forward") for k in range(4)
    ]
    run = with_baseline(save(tmp_path, rows), "torch_lstm")
    terminal.show(Report(run, summarise(run)), Console(width=100), everything=False)
    printed = capsys.readouterr().out
    assert "p · sequence · train_step · cpu" in printed
    assert "p · sequence · forward · cpu" not in printed
    assert "1 more table: python -m reports report DIR --show all" in printed
    assert " mine, in 1 of them: crashed: SIGSEGV" in printed
    assert "unclear: we can't tell it from torch_lstm." in printed
    assert "Holm" not in printed
    terminal.show(Report(run, summarise(run)), Console(width=100))
    everything = capsys.readouterr().out
    assert "p · sequence · forward · cpu" in everything
    assert "more table" not in everything
    assert "Holm" in everything


def test_where_nothing_has_a_time_every_table_is_shown(tmp_path, capsys):
    run = save(tmp_path, [failed("mine", 0, "crashed", "SIGSEGV", mode=mode) for mode in ("forward", "backward")])
    terminal.show(Report(run, summarise(run)), Console(width=100), everything=False)
    printed = capsys.readouterr().out
    assert printed.count("SIGSEGV") == 2
