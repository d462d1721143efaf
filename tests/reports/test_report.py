"""The command `report`: every file of a run, or one line that says why not."""

import pytest
from click.testing import CliRunner

from reports.__main__ import cli
from tests.helpers.records import SMALL, failed, record, save, trained

WHERE = {"workload": "sequence", "mode": "train_step"}


def report(*words):
    """Call the command in this process: its exit code, and what it said."""
    done = CliRunner().invoke(cli, ["report", *map(str, words)], standalone_mode=False)
    assert done.exception is None, done.exception
    return done


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_records_give_the_same_bytes(tmp_path):
    found = []
    for name in ("one", "other"):
        save(tmp_path / name / "run", [row | WHERE for row in SMALL])
        assert report(tmp_path / name / "run").return_value == 0
        found.append(content(tmp_path / name / "run"))
    one, other = found
    assert {"summary.csv", "table.md", "table.tex", "index.html", "rows.html"} <= set(one)
    assert {path[-4:] for path in one if path.startswith("figures/shapes-")} == {".svg"}
    assert {name for name in one if one[name] != other[name]} <= {"results.parquet"}


def test_an_unreadable_run_is_one_line_and_the_others_are_still_reported(tmp_path):
    bad = save(tmp_path / "bad", SMALL).folder
    (bad / "index.html").touch()  # as in a run's own folder: it is no report of several runs
    (bad / "environment.json").write_text("{")
    save(tmp_path / "good", SMALL)
    done = report(bad, tmp_path / "good", "--out", tmp_path / "out")
    assert done.return_value == 1
    assert "not readable JSON" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "base" in done.stdout
    assert (tmp_path / "out" / "good" / "table.md").is_file()


KINDS = {
    "nothing could be timed": [failed("base", 0, "unsupported", "no CUDA device")],
    "one implementation, one replicate": [record("base", 0, 1e-3)],
    "no baseline": [record("other", r, 1e-3) for r in (0, 1)],
    "a failed baseline": [failed("base", 0, "crashed", "SIGSEGV"), record("x", 0, 1e-3)],
    "two devices": [record("base", r, 1e-3, device=device) for r in (0, 1) for device in ("cpu", "cuda")],
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_run_has_its_page(name, tmp_path):
    rows = [row | WHERE for row in KINDS[name]]
    save(tmp_path / "run", rows)
    assert report(tmp_path / "run").return_value == 0
    written = (tmp_path / "run" / "rows.html").read_text()
    assert [row for row in rows if row["implementation"] not in written or row["reason"] not in written] == []


def test_pages_say_what_is_of_older_code_and_where_the_suite_is(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.invalid")
    monkeypatch.setenv("GITHUB_REPOSITORY", "a/b")
    save(tmp_path / "run", [*trained("base", 1e-3), *trained("jax_scan", 5e-4, digest="0" * 16)])
    assert report(tmp_path / "run").return_value == 0
    index, rows = ((tmp_path / "run" / name).read_text() for name in ("index.html", "rows.html"))
    assert ' older" id="p/sequence/train_step/jax_scan"' in rows
    assert "<small>older code</small>" in rows
    assert "jax_scan, older code" in index
    assert 'href="https://git.invalid/a/b"' in index
    assert "git clone https://git.invalid/a/b" in rows


def test_a_folder_that_holds_a_report_is_skipped_with_one_line(tmp_path):
    """`nox -s report -- runs/*` also meets the report of the call before."""
    save(tmp_path / "a", SMALL)
    for said in ("", f"skipped: {tmp_path / 'report'} holds a report, not a run\n"):
        done = report(*sorted(tmp_path.iterdir()), "--out", tmp_path / "report")
        assert (done.return_value, done.stderr) == (0, said)
    assert (tmp_path / "report" / "a" / "summary.csv").is_file()
    alone = report(tmp_path / "report")
    assert alone.return_value == 1
    assert "there is no run" in alone.stderr


@pytest.mark.parametrize("name", ["index.html", "notes.txt"])
def test_a_users_own_files_are_not_replaced(name, tmp_path):
    run, mine = save(tmp_path / "run", SMALL).folder, tmp_path / "out" / name
    for _ in range(2):  # onto its own files it writes again
        assert report(run, "--out", tmp_path / "out").return_value == 0
    for path in (tmp_path / "out").rglob("*.*"):
        if path.is_file():
            path.unlink()
    mine.write_text("<title>mine</title>")
    done = CliRunner().invoke(cli, ["report", str(run), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "give another --out" in done.output
    assert content(tmp_path / "out") == {name: b"<title>mine</title>"}


def test_what_a_run_writes_for_other_programs_leads_to_its_folder(tmp_path):
    run = save(tmp_path / "run", SMALL).folder
    (run / "results.json").write_text("{}")
    assert f"give its folder, {run}" in report(run / "results.json").stderr


def test_the_page_of_a_run_is_not_replaced_by_that_of_others(tmp_path):
    one, two = (save(tmp_path / name, SMALL).folder for name in ("one", "two"))
    report(two)
    before = content(two)
    done = CliRunner().invoke(cli, ["report", str(one), "--out", str(two)])
    assert (done.exit_code, "give another --out" in done.output) == (1, True)
    assert content(two) == before


@pytest.mark.process
def test_a_terminal_of_ascii_is_enough_and_an_impossible_place_is_one_line(tmp_path, python, monkeypatch):
    save(tmp_path / "run", SMALL)
    variables = {"TZ": "/dev/zero", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = python("reports", "report", tmp_path / "run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "base" in done.stdout
    refused = python("reports", "report", tmp_path / "run", "--out", "/dev/null/x")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: /dev/null/x")
