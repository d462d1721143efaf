"""The tables of ways: what a cell says over releases, and what becomes of published files."""

from types import SimpleNamespace

import msgspec
import pytest

from benchmarks import cells
from benchmarks.cells import Agreement, Cell
from benchmarks.metadata import Commit, Metadata
from benchmarks.options import Options
from reports import ways
from reports.publishing import ways as tables

PLAIN = ways.PLAIN
FAST = "aten::mkldnn_rnn_layer × 1"
SLOW = "aten::addmm × 9"


def cell(option="", release="2.13.0", way="torch_lstm", **fields):
    column = PLAIN if option.startswith("-float") else f"{PLAIN}{option}"
    dtype = option[1:] if option.startswith("-float") else "float32"
    versions = f"torch {release}, Python 3.13.5"
    return Cell(implementation=f"{way}@torch=={release}", column=column, dtype=dtype, versions=versions, **fields)


def agreement(*of, day="20261202", by="", isa=None, dirty=False):
    return Agreement(
        where=Metadata(
            variables={"ONEDNN_MAX_CPU_ISA": isa} if isa else {},
            commit=Commit(id="0" * 40, dirty=dirty),
            run=Options(run_id=f"{day}T000000-00000000"),
        ),
        cells=of,
        by=by,
    )


def outcomes(*agreements):
    rows = ways.table(list(agreements))
    return {(row.suffix, row.release): row.outcome for row in rows.itertuples()}


def test_a_status_becomes_an_outcome_and_another_operator_is_told_apart():
    found = outcomes(
        agreement(
            cell(kernel=FAST),
            cell("-bi", kernel=FAST.replace(" ×", "_backward ×")),
            cell("-float64", kernel=SLOW),
            cell("-var", status="disagrees", reason="output[0] is 1"),
            cell("-l2", status="crashed"),
            cell("-p3", status="unsupported"),
            cell("-first", status="not_installed"),
        )
    )
    assert {suffix: outcome for (suffix, _), outcome in found.items()} == {
        "": ways.RIGHT,
        "-bi": ways.RIGHT,
        "-float64": ways.OTHER,
        "-var": ways.WRONG,
        "-l2": ways.RAISES,
        "-p3": ways.REFUSES,
        "-first": ways.MISSING,
    }


def test_of_the_same_cell_the_newest_file_counts_and_fewer_instructions_and_other_machines_are_apart():
    old = agreement(cell(status="error"), day="20261201")
    new = agreement(cell())
    assert outcomes(new, old) == {("", "2.13"): ways.RAISES}, "they come the oldest first"
    assert outcomes(old, new) == {("", "2.13"): ways.RIGHT}
    rows = ways.table([new, agreement(cell(status="error"), isa="AVX2"), agreement(cell(status="error"), by="Ada")])
    assert list(zip(rows["by"], rows["isa"], rows["outcome"], strict=True)) == [
        ("", "", ways.RIGHT),
        ("", "AVX2", ways.RAISES),
        ("Ada", "", ways.RAISES),
    ]


@pytest.mark.parametrize(
    ("statuses", "text"),
    [
        (["ok", "ok", "ok"], "right"),
        (["error", "ok", "ok"], "raises, right from 2.13"),
        (["ok", "disagrees", "error"], "right, **wrong** from 2.13, raises from 2.15"),
    ],
)
def test_a_cell_says_from_which_release_on_it_is_different(statuses, text, monkeypatch):
    releases = ("2.9.1", "2.13.0", "2.15.0")
    of = [cell("-p3", release, status=status) for release, status in zip(releases, statuses, strict=True)]
    monkeypatch.setattr(ways, "read", lambda: [agreement(*reversed(of))])
    monkeypatch.setattr(tables.programs, "programs", list)
    table = tables.of_library("torch", None)
    assert f"| {text} |" in " ".join(table.split())
    assert "PyTorch 2.9, 2.13 and 2.15" in table


def test_a_cell_that_is_wrong_leads_to_its_program(monkeypatch, tmp_path):
    path = tmp_path / "packed.py"
    path.write_text(
        '"""It is wrong. https://x.y/1\n\nFails with: torch>=2.9\nInstead: another.\nShows: torch_lstm -p3"""\n'
    )
    monkeypatch.setattr(ways, "read", lambda: [agreement(cell("-p3", status="disagrees"))])
    monkeypatch.setattr(tables.programs, "programs", lambda: [tables.programs.read(path)])
    assert "**[wrong](programs/packed.py)**" in tables.of_library("torch", None)
    assert "It is wrong. [Source](https://x.y/1)" in tables.shown_programs(None)


def test_a_published_file_replaces_those_of_which_it_has_every_cell(tmp_path):
    first = ways.publish(agreement(cell(), cell("-bi"), day="20261130"), tmp_path)
    theirs = ways.publish(agreement(cell(), day="20261129", by="Ada"), tmp_path)
    second = ways.publish(agreement(cell(), day="20261201"), tmp_path)
    assert first.exists()
    third = ways.publish(agreement(cell(), cell("-bi"), day="20261202"), tmp_path)
    assert {*tmp_path.iterdir()} == {third, theirs}
    assert not second.exists()
    assert cells.read(third).cells[0] == cell()


def test_what_has_no_commit_or_no_option_is_not_published():
    assert list(ways.faults(agreement(cell()))) == []
    assert "commit them" in next(ways.faults(agreement(cell(), dirty=True)))
    other = msgspec.structs.replace(cell(), column="t1-b1-i1-h1")
    assert "no cell" in next(ways.faults(agreement(other)))


def test_a_machine_of_others_is_named_with_what_is_wrong_there(monkeypatch):
    monkeypatch.setattr(ways, "read", lambda: [agreement(cell(), cell("-p3", status="disagrees"), by="Ada")])
    table = tables.of_others(SimpleNamespace())
    assert "| Ada |" in " ".join(table.split())
    assert "1 of 2" in table
    assert "`torch_lstm`, projection: wrong" in table
