"""Faults cost their own rows only: one run with many of them beside two good implementations."""

import pandas as pd
import pytest

from tests.helpers import faulty
from tests.helpers.processes import SMALL, impls, python

pytestmark = [pytest.mark.process, pytest.mark.timeout(900)]

TIMED = ("async_work", "remembers", "remembers_later", "replaces_the_suites_clock", "burns_in_a_child")
"""Found by their times, so that nothing else may run beside them."""
FEW = [name for name in faulty.STATUS if name not in TIMED]
WHOLLY_BAD = ("wrong_formula", faulty.MISSING, "leaves_a_daemon")
"""Those whose forward is bad, too."""


def run_with(folder, names, *options):
    """A run of two good implementations and these; the finished process and its rows."""
    paths = [faulty.write(folder, name) for name in names]
    done = python(
        "-m", "benchmarks", "bench", *impls("numpy_lstm", *paths), *SMALL, "--replicates", "1",
        "--out", folder / "out", *options, timeout=800,
    )  # fmt: skip
    return done, pd.read_parquet(folder / "out" / "results.parquet")


def check_told(rows, name):
    """Check that the train_step of a fault has its status and its reason, and no time."""
    status, reason = faulty.STATUS[name]
    (row,) = rows[(rows["implementation"] == name) & (rows["mode"] == "train_step")].itertuples()
    assert (row.status, reason in row.reason) == (status, True), (name, row.status, row.reason)
    assert pd.isna(row.seconds)


def test_a_fault_is_told_with_its_reason_and_costs_its_own_rows_only(tmp_path):
    good = ("numpy_lstm", "keeps_an_idle_child")
    options = ("--mode", "forward", "--timeout", "20", "--memory-limit", "1.2")
    done, rows = run_with(tmp_path, [*FEW, "keeps_an_idle_child"], *options)
    assert done.returncode == 1, done.stderr
    assert len(rows) == 2 * (len(FEW) + len(good))
    table = (tmp_path / "out" / "table.md").read_text()
    for name in FEW:
        check_told(rows, name)
        assert f"| {name} " in table
        assert name in done.stdout
    whole = rows["implementation"].isin(good) | (rows["mode"] == "forward") & ~rows["implementation"].isin(WHOLLY_BAD)
    assert set(rows.loc[whole, "status"]) == {"ok"}, rows.loc[whole, ["implementation", "reason"]].to_string()
    assert "Traceback" not in done.stderr


@pytest.mark.alone
def test_what_is_not_done_when_it_returns_was_done_before_or_is_timed_wrongly_is_told(tmp_path):
    _, rows = run_with(tmp_path, TIMED)
    for name in TIMED:
        check_told(rows, name)
    assert set(rows.loc[~rows["implementation"].isin(TIMED), "status"]) == {"ok"}


@pytest.mark.alone
def test_each_check_switched_off_lets_its_file_through(tmp_path):
    """So the two tests above can fail."""
    paths = [faulty.write(tmp_path, name, first) for name, first in faulty.SWITCHED_OFF.items()]
    run = "from benchmarks.__main__ import cli; cli(sys.argv[1:], standalone_mode=False)"
    code = f"import sys{faulty.RUNNER_OFF}{run}"
    done = python("-c", code, "bench", *impls(*paths), *SMALL, "--replicates", "1", "--out", tmp_path / "out")
    rows = pd.read_parquet(tmp_path / "out" / "results.parquet")
    assert set(rows["status"]) == {"ok"}, rows[["implementation", "reason"]].to_string() + done.stderr
    assert len(rows) == len(faulty.SWITCHED_OFF)
