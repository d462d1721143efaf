"""The command: every file of a run, or one line that says why not."""

import json

import click
import pandas as pd
import pytest
from click.testing import CliRunner

from reports import run_folder
from reports.__main__ import cli
from reports.summary import summarise
from tests.helpers.records import ENVIRONMENT, failed, record, save


def build(*words):
    """Build in this process: what the command returned, and what it said."""
    done = CliRunner().invoke(cli, ["report", *map(str, words)], standalone_mode=False)
    assert done.exception is None, done.exception
    return done


UNREADABLE = {
    "no environment": (None, b"", "no environment.json"),
    "broken environment": ("{", b"", "not readable JSON"),
    "truncated": (json.dumps(ENVIRONMENT), b"PAR1 half", "not a readable Parquet file"),
    "empty": (json.dumps(ENVIRONMENT), b"", "not a readable Parquet file"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_run_is_one_line_and_the_others_are_still_reported(name, tmp_path):
    environment, content, message = UNREADABLE[name]
    bad = tmp_path / "bad"
    bad.mkdir()
    if environment is not None:
        (bad / "environment.json").write_text(environment)
        (bad / "results.parquet").write_bytes(content)
    save(tmp_path / "good", [record("base", r, 1e-3) for r in (0, 1)])
    done = build(bad, tmp_path / "good")
    assert done.return_value == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert "base" in done.stdout


def built(folder, records):
    save(folder, records)
    assert build(folder).return_value == 0
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_records_give_the_same_bytes(tmp_path):
    rows = [record(n, r, s * (1 + 0.01 * r)) for n, s in (("base", 1e-3), ("other", 2e-3)) for r in (0, 1)]
    one, other = (built(tmp_path / name / "run", rows) for name in ("one", "other"))
    figures = {f"figures/ratio-w-m-cpu.{kind}" for kind in ("svg", "png")}
    assert {"summary.csv", "table.md", "table.tex", "index.html", *figures} <= set(one)
    for name in set(one) - {"results.parquet"}:
        assert one[name] == other[name], name


def test_runs_of_one_folder_name_stay_apart_and_no_other_run_is_overwritten(tmp_path):
    for name, run_id in (("a", "20260101T000000-a"), ("b", "20260102T000000-b")):
        save(tmp_path / name / "run", [record("base", r, 1e-3, run_id=run_id) for r in (0, 1)], run_id)
    done = build(tmp_path / "a" / "run", tmp_path / "b" / "run", "--out", tmp_path / "o")
    assert done.return_value == 0
    assert sorted(path.name for path in (tmp_path / "o").iterdir() if path.is_dir()) == [
        "run",
        "run-20260101T000000-a",
    ]
    before = (tmp_path / "a" / "run" / "results.parquet").read_bytes()
    with pytest.raises(click.ClickException, match="holds another run"):
        run_folder.reports([tmp_path / "b" / "run"], tmp_path / "a", tmp_path / "a")
    assert (tmp_path / "a" / "run" / "results.parquet").read_bytes() == before


@pytest.mark.process
def test_an_output_that_cannot_be_written_is_one_line(tmp_path, python):
    save(tmp_path / "run", [record("base", r, 1e-3) for r in (0, 1)])
    done = python("reports", "report", tmp_path / "run", "--out", "/dev/null/x")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: /dev/null/x")
    assert done.stderr.count("\n") == 1


EVERY = {
    "nothing could be timed": [failed("base", 0, "unsupported", "no CUDA device")],
    "one implementation, one replicate": [record("base", 0, 1e-3)],
    "no baseline": [record("other", r, 1e-3) for r in (0, 1)],
    "a failed baseline": [
        failed("base", 0, "crashed", "SIGSEGV"),
        record("x", 0, 1e-3),
    ],
    "two devices": [record("base", r, 1e-3, device=device) for r in (0, 1) for device in ("cpu", "cuda")],
}


@pytest.mark.parametrize("name", EVERY)
def test_every_kind_of_run_has_its_page(name, tmp_path):
    rows = [row | {"workload": "sequence", "mode": "train_step"} for row in EVERY[name]]
    save(tmp_path / "run", rows)
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "run")], standalone_mode=False)
    assert done.exception is None
    assert done.return_value == 0
    written = (tmp_path / "run" / "index.html").read_text()
    for row in rows:
        assert row["implementation"] in written
        assert row["reason"] in written


def test_a_folder_that_holds_a_report_is_skipped_with_one_line(tmp_path):
    """`nox -s report -- runs/*` also meets the report of the call before."""
    for name in ("a", "b"):
        save(tmp_path / name, [record("base", r, 1e-3, run_id=name) for r in (0, 1)], name)
    for _ in range(2):
        done = build(*sorted(tmp_path.iterdir()), "--out", tmp_path / "report")
        assert done.return_value == 0
    assert done.stderr == f"skipped: {tmp_path / 'report'} holds a report, not a run\n"
    assert (tmp_path / "report" / "a" / "summary.csv").is_file()


def test_without_any_run_there_is_an_error(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "index.html").touch()
    done = build(tmp_path / "report")
    assert done.return_value == 1
    assert "error: there is no run to report" in done.stderr


def test_a_report_that_lost_its_metadata_is_not_skipped(tmp_path):
    """The negative control: a run's own folder has a page too."""
    save(tmp_path / "run", [record("base", r, 1e-3) for r in (0, 1)])
    assert build(tmp_path / "run").return_value == 0
    (tmp_path / "run" / "environment.json").unlink()
    done = build(tmp_path / "run")
    assert done.return_value == 1
    assert "no environment.json" in done.stderr


def test_summary_csv_holds_the_summary(tmp_path):
    run = save(
        tmp_path / "run", [record(n, r, s * (1 + r / 100)) for n, s in (("base", 1e-3), ("x", 2e-3)) for r in (0, 1)]
    )
    assert build(tmp_path / "run").return_value == 0
    read = pd.read_csv(tmp_path / "run" / "summary.csv", keep_default_na=False, na_values=[""])
    wanted = summarise(run)
    assert list(read.columns) == list(wanted.columns)
    pd.testing.assert_frame_equal(read, wanted.mask(wanted == ""), check_dtype=False, rtol=1e-12)


ODD = {
    "time zone": ({"TZ": "/dev/zero"}, 0, ""),
    "time zone with an escape": ({"TZ": "\x1b[31m"}, 0, ""),
    "ASCII": ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}, 0, ""),
}


@pytest.mark.process
@pytest.mark.parametrize("name", ODD)
def test_an_odd_environment_changes_nothing(name, tmp_path, python, monkeypatch):
    variables, code, said = ODD[name]
    save(tmp_path / "run", [record("base", r, 1e-3) for r in (0, 1)])
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    done = python("reports", "report", tmp_path / "run")
    assert (done.returncode, done.stderr) == (code, said)
    assert "base" in done.stdout


def test_a_users_own_files_are_not_replaced(tmp_path):
    run = save(tmp_path / "run", [record("base", r, 1e-3) for r in (0, 1)]).folder
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("<title>mine</title>")
    done = CliRunner().invoke(cli, ["report", str(run), "--out", str(site)])
    assert done.exit_code == 1
    assert "index.html is not a page of this suite; give another --out" in done.output
    assert (site / "index.html").read_text() == "<title>mine</title>"
    (site / "index.html").unlink()
    (site / "run").mkdir()
    (site / "run" / "results.parquet").write_bytes(b"mine")
    done = CliRunner().invoke(cli, ["report", str(run), "--out", str(site)])
    assert done.exit_code == 1
    assert "holds another run; give another --out" in done.output
    assert (site / "run" / "results.parquet").read_bytes() == b"mine"
    (site / "run" / "results.parquet").unlink()
    for _ in range(2):  # and again onto its own page
        assert CliRunner().invoke(cli, ["report", str(run), "--out", str(site)]).exit_code == 0
