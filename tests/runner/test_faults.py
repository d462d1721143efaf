"""Faults cost their own rows only: one run with every one of them beside two good implementations."""

import pandas as pd
import pytest

from tests.helpers import faulty
from tests.helpers.processes import SMALL, impls, python

pytestmark = [pytest.mark.process, pytest.mark.timeout(900)]

DISHONEST = (
    "async_work",
    "remembers",
    "lazy",
    "remembers_later",
    "remembers_contents",
    "replaces_the_suites_clock",
    "burns_in_a_child",
)
"""Found by their times, so that nothing else may run beside them."""
FAULTY = [name for name in faulty.STATUS if name not in DISHONEST]
GOOD = ("numpy_lstm", "keeps_an_idle_child", "torch_cell")


def run_with(folder, names, *options):
    """A run of two good implementations and these; the finished process and its folder."""
    paths = [faulty.write(folder, name) for name in names]
    done = python(
        "-m", "benchmarks", "bench", *impls("numpy_lstm", *paths, "torch_cell"), *SMALL, "--replicates", "1",
        "--out", folder / "out", *options, timeout=800,
    )  # fmt: skip
    return done, folder / "out"


def is_told(out, name):
    rows = pd.read_parquet(out / "results.parquet")
    rows = rows[(rows["implementation"] == name) & (rows["mode"] == "train_step")]
    status, reason = faulty.STATUS[name]
    assert list(rows["status"]) == [status], list(rows["reason"])
    assert rows["reason"].str.contains(reason, regex=False).all(), list(rows["reason"])
    assert rows["seconds"].isna().all()


@pytest.fixture(scope="module")
def faulty_run(tmp_path_factory):
    """One run with every fault in it, and a file whose child only waits."""
    options = ("--mode", "forward", "--timeout", "20", "--memory-limit", "1.2")
    return run_with(tmp_path_factory.mktemp("faults"), [*FAULTY, "keeps_an_idle_child"], *options)


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_is_told_with_status_and_reason(faulty_run, name):
    is_told(faulty_run[1], name)


@pytest.mark.alone
def test_what_is_not_done_when_it_returns_was_done_before_or_is_timed_wrongly_is_told(tmp_path):
    _, out = run_with(tmp_path, DISHONEST)
    for name in DISHONEST:
        is_told(out, name)
    rows = pd.read_parquet(out / "results.parquet")
    assert set(rows.loc[~rows["implementation"].isin(DISHONEST), "status"]) == {"ok"}


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


@pytest.mark.alone
def test_arrays_on_two_devices_are_no_work_that_was_left(tmp_path):
    """To read them means to put their parts together, which an array remembers. All cells of one run were accused."""
    done = python(
        "-m", "benchmarks", "bench", *impls("jax_scan_vjp_sharded"), "--problem", "t64-b16-i128-h128",
        "--workload", "cell", "--mode", "forward", "--mode", "train_step", "--replicates", "1", "--blocks", "2",
        "--no-floor", "--threads", "2", "--out", tmp_path / "out",
    )  # fmt: skip
    rows = pd.read_parquet(tmp_path / "out" / "results.parquet")
    assert list(rows["status"]) == ["ok", "ok"], [*rows["reason"], done.stderr]


def test_a_fault_costs_its_own_rows_only(faulty_run):
    done, out = faulty_run
    assert done.returncode == 1, done.stderr
    rows = pd.read_parquet(out / "results.parquet")
    assert len(rows) == (len(FAULTY) + len(GOOD)) * 2
    good = rows[rows["implementation"].isin(GOOD)]
    assert set(good["status"]) == {"ok"}, good[["implementation", "reason"]].to_string()
    wholly_bad = ["wrong_formula", "no_such_module", "mistyped_import", "leaves_a_daemon", "leaves_a_group"]
    wholly_bad += ["starts_a_thread_elsewhere", "sets_more_threads"]  # a thread pool is that of the whole process
    # the other mode of a file whose train_step alone is bad
    others = rows[(rows["mode"] == "forward") & ~rows["implementation"].isin(wholly_bad)]
    assert set(others["status"]) == {"ok"}, others[others["status"] != "ok"][["implementation", "reason"]].to_string()


def test_every_fault_is_in_the_table(faulty_run):
    done, out = faulty_run
    text = (out / "table.md").read_text()
    for name in FAULTY:
        assert f"| {name} " in text
        assert faulty.STATUS[name][0] in text
        assert name in done.stdout
    assert "Traceback" not in done.stderr


def test_a_model_that_stops_learning_in_its_turns_is_told_and_one_that_goes_on_is_not(tmp_path):
    path = faulty.write(tmp_path, "stops_learning")
    out = tmp_path / "out"
    where = ("--problem", "t4-b2-i8-h8", "--workload", "model", "--mode", "train_step", "--no-floor", "--threads", "1")
    many = ("--replicates", "2", "--blocks", "4", "--out", out)
    done = python("-m", "benchmarks", "bench", *impls("torch_lstm", path), *where, *many)
    rows = pd.read_parquet(out / "results.parquet").set_index("implementation")
    assert done.returncode == 1, done.stderr
    assert rows.loc["torch_lstm", "status"].tolist() == ["ok", "ok"], list(rows["reason"])
    assert set(rows.loc["stops_learning", "status"]) == {"disagrees"}
    assert "the last timed call" in rows.loc["stops_learning", "reason"].iloc[0]


def test_an_arm_that_dies_while_it_is_timed_leaves_the_others_alone(tmp_path):
    path = faulty.write(tmp_path, "late_crash")
    broken = tmp_path / "broken"
    code = (
        "import os, sys; from benchmarks.runner.session import Session; start = Session.replicate\n"
        "def replicate(self, *args, **named):\n    os.environ['LATE'] = '1'\n    return start(self, *args, **named)\n"
        "Session.replicate = replicate\n"
        "from benchmarks.runner import blocks; blocks.CHECKED = 1\n"  # what is opened again is checked, too
        "from benchmarks.__main__ import cli; sys.exit(cli.main(sys.argv[1:], standalone_mode=False))"
    )
    done = python("-c", code, "bench", *impls("numpy_lstm", path), *SMALL, "--mode", "forward", "--out", broken)
    rows = pd.read_parquet(broken / "results.parquet").set_index(["implementation", "mode", "replicate"]).sort_index()
    assert rows.loc["numpy_lstm", "status"].tolist() == ["ok"] * 4, list(rows["reason"])
    # the first replicate's workers came from the gate, before they were told to crash
    assert rows.loc[("late_crash", "train_step"), "status"].tolist() == ["ok", "crashed"]
    assert "exited with code 9" in rows.loc[("late_crash", "train_step", 1), "reason"]
    # its process went down with what else was open in it, which is opened again in a new one
    assert rows.loc[("late_crash", "forward"), "status"].tolist() == ["ok", "ok"]
    assert [len(turns) for turns in rows.loc[("late_crash", "forward"), "turns"]] == [4, 4]
    assert done.returncode == 1
