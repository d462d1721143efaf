"""What a fleet is asked to do, and a fleet without Slurm: one run after the other on this machine."""

from __future__ import annotations

import re
import subprocess
import sys

import click
import msgspec
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks import hardware, json_files, machine
from benchmarks.bench.run_options import RunOptions, resumed
from benchmarks.fleet import folder as fleets
from benchmarks.fleet import plan, slurm
from benchmarks.fleet.command import fleet
from benchmarks.fleet.folder import LOCAL, SLURM, Fleet, Member
from benchmarks.fleet.job import Job
from benchmarks.metadata import Commit
from benchmarks.regression import outcome
from benchmarks.regression.gate_options import GateOptions
from impls.core import registry
from tests.helpers.pools import MINE
from tests.helpers.processes import FEW, impls, python

SMALL = ("--problem", "t4-b2-i8-h8", "--mode", "forward", "--blocks", "2", "--no-floor", "--threads", "1")


@pytest.fixture
def measured(tmp_path):
    """The options of a small run of two implementations, neither of which has to load a framework."""
    other = tmp_path / "other.py"
    other.write_text(MINE + "import helper\n")
    other.with_name("helper.py").touch()
    return (*SMALL, *impls(other, "numpy_lstm"))


@pytest.mark.nightly
def test_two_runs_on_this_machine_end_in_one_table(measured, tmp_path):
    folder = tmp_path / "fleet"
    done = python("-m", "benchmarks", "fleet", "--local", "2", "--fleet", folder, *measured, "--replicates", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("fleet.json", "fleet.md", "fleet.csv"):
        assert (folder / name).exists()
    for member in ("001", "002"):
        assert fleets.ended(folder, member).code == 0
        assert fleets.replicates_done(folder, member) == (2, 2)
        rows = pd.read_parquet(fleets.run_of(folder, member) / "results.parquet")
        assert set(rows["implementation"]) == {"numpy_lstm", "other", "twin"}
    status = CliRunner().invoke(fleet, ["status", str(folder)], standalone_mode=False)
    assert status.return_value == 0
    assert "exit code 0; 2 of 2 replicates" in status.output


def test_the_id_of_a_job_is_never_an_option_of_scancel(tmp_path, monkeypatch):
    fleets.write(tmp_path, Fleet(SLURM, (Member("001", "a/n1", "--user=root"),)))
    seen = []
    monkeypatch.setattr(slurm, "run", lambda command, _: seen.extend(command))
    assert CliRunner().invoke(fleet, ["cancel", str(tmp_path)], standalone_mode=False).return_value == 0
    assert seen[0] == "scancel"
    assert 0 < seen.index("--") < seen.index("--user=root")


def test_the_status_of_jobs_says_that_some_go_on_and_what_became_of_the_others(tmp_path, monkeypatch):
    fleets.write(tmp_path, Fleet(SLURM, (Member("001", "a/n1", "7"), Member("002", "a/n2", "8"))))
    monkeypatch.setattr(slurm, "states", lambda: {"7": "running"})
    done = CliRunner().invoke(fleet, ["status", str(tmp_path)], standalone_mode=False)
    assert done.return_value == 3
    assert "job 7: running" in done.output
    assert "job 8: it has not begun, has not ended, or was ended from outside" in done.output


def test_a_run_that_was_finished_by_hand_has_ended(tmp_path):
    """As docs/fleet.md says, after the fleet was killed."""
    fleets.write(tmp_path, Fleet(LOCAL, (Member("001", "this machine"),)))
    run = fleets.run_of(tmp_path, "001")
    run.mkdir(parents=True)
    before = CliRunner().invoke(fleet, ["status", str(tmp_path)], standalone_mode=False)
    (run / "results.parquet").touch()
    after = CliRunner().invoke(fleet, ["status", str(tmp_path)], standalone_mode=False)
    assert (before.return_value, after.return_value) == (3, 0)


@pytest.mark.nightly
def test_two_gates_on_this_machine_end_in_one_verdict(tmp_path):
    folder, summary = tmp_path / "fleet", tmp_path / "summary.md"
    done = python(
        "-m", "benchmarks", "fleet", "--local", "2", "--fleet", folder,
        "regression", "--base", "HEAD", *impls("numpy_lstm"), *FEW,
        XDG_CACHE_HOME=str(tmp_path / "cache"), GITHUB_STEP_SUMMARY=str(summary),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "regression.md").read_text().startswith("## no regression found")
    for member in ("001", "002"):
        told = outcome.read(fleets.run_of(folder, member))
        assert "one of a fleet's 2 gates" in told.heading
        assert {found.tests for found in told.findings} == {2}
    assert summary.read_text().count("no regression found") == 1
    status = CliRunner().invoke(fleet, ["status", str(folder)], standalone_mode=False)
    assert "no regression found" in status.output


@pytest.mark.process
def test_a_job_that_is_requeued_ends_its_run_and_can_be_called_again(tmp_path):
    job = Job(tmp_path, "001")
    job.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    again = job.checkpoint()
    assert job.process.poll() is not None
    assert (again.function.folder, again.function.name, again.function.process) == (tmp_path, "001", None)


@pytest.fixture
def no_git(monkeypatch):
    monkeypatch.setattr(machine, "commit", Commit)


def test_every_run_has_its_options_before_it_begins_and_the_machine_fills_in_its_own(tmp_path, monkeypatch, no_git):
    plan.runs(("--preset", "published", *impls("jax_scan", "torch_lstm"), "--seed", "3"))(tmp_path, ["001", "002"])
    first, second = (json_files.read(fleets.run_of(tmp_path, name) / "run.json", RunOptions) for name in ("001", "002"))
    assert first.run_id != second.run_id
    assert msgspec.structs.replace(first, run_id=second.run_id) == second
    assert first.implementations == ("jax_scan", "torch_lstm", "peak", str(tmp_path / "twin.py"))
    assert (first.baseline, first.seed, first.threads) == ("torch_lstm", 3, 0)
    twin, own = registry.read(tmp_path / "twin.py"), registry.resolve("torch_lstm")
    other = {field: getattr(own, field) for field in ("name", "path", "digest", "about")}
    assert msgspec.structs.replace(twin, **other) == own
    assert registry.load(twin).prepare is registry.load(own).prepare
    (tmp_path / "b").mkdir()
    plan.runs(impls("jax_scan@jax==0.8.*", "jax_scan"))(tmp_path / "b", ())
    assert registry.read(tmp_path / "b" / "twin.py").requires == ("jax", "jax==0.8.*"), "a copy in the same environment"
    run = fleets.run_of(tmp_path, "002")
    monkeypatch.setattr(hardware, "choose_cores", lambda threads, _: (4, 5, 6)[: threads or 3])
    began, folder = resumed(RunOptions(resume=str(run)))
    assert (began.threads, folder) == (3, run)
    assert json_files.read(run / "run.json", RunOptions) == began
    (run / "raw").mkdir()  # it has begun
    monkeypatch.setattr(hardware, "choose_cores", lambda *_: (0,))
    assert resumed(RunOptions(resume=str(run)))[0] == began


def test_every_gate_compares_the_same_commits_and_shares_the_chance_of_a_false_alarm(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "resolve", lambda _, revision: f"{revision}{'0' * 40}")
    plan.gates(("--base", "a", "--head", "b", *impls("numpy_lstm", "others")))(tmp_path, ["001", "002", "003"])
    gates = [json_files.read(fleets.gate_of(tmp_path, name), GateOptions) for name in ("001", "002", "003")]
    assert {(gate.base, gate.head, gate.gates) for gate in gates} == {("a00000000000", "b00000000000", 3)}
    assert len({gate.run_id for gate in gates}) == 3
    assert [gate.out for gate in gates] == [str(fleets.run_of(tmp_path, name)) for name in ("001", "002", "003")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--local", "1", "--nodes", "2"), "--local does not go with"),
        (("--local", "1", "--out", "x"), "--out is given by the fleet"),
        (("--local", "1", "--baseline", "nobody"), "nobody"),
        (("--local", "1", "--replicates", "1"), "--replicates must be at least 2"),
        (("--local", "1", "--impl", "TWIN"), "called twin"),
        (("--local", "1", "--impl", "torch_lstm"), "at least two"),
        (("--local", "1", "regression", "--base", "HEAD", "--out", "x"), "--out does not go with"),
        (("--local", "1", "regression"), "give either --base REV"),
        (("--local", "1", "regression", "--base", "nowhere"), "nowhere"),
        (("--local", "1", "regression", "--base", "HEAD", "--impl", "torch_lst"), "torch_lst"),
        ((), "say how many nodes: --nodes N"),
        (("--nodes", "3"), "2 are usable"),
        (("--nodes", "1", "--partition", "all,x"), "there is no partition x"),
        (("--nodes", "1", "--slurm", "account"), "account is not KEY=VALUE"),
        (("status", "/nowhere"), "holds no fleet"),
    ],
)
def test_what_is_asked_wrongly_is_refused_before_anything_is_written(words, said, tmp_path, monkeypatch, no_git):
    def unknown(_, revision):
        raise ValueError(f"{revision} names no commit")

    monkeypatch.setattr(plan, "resolve", unknown)
    monkeypatch.setattr(slurm, "present", lambda: True)
    monkeypatch.setattr(slurm, "run", lambda *_: "all* n1 idle\nall* n2 idle\n")
    (tmp_path / "twin.py").write_text(MINE)
    place = () if words[:1] == ("status",) else ("--fleet", str(tmp_path / "f"))
    given = [str(tmp_path / "twin.py") if word == "TWIN" else word for word in words]
    done = CliRunner().invoke(fleet, [*place, *given])
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.output.split())
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize(("package", "where"), [("statsmodels", "--local"), ("submitit", "--nodes")])
def test_a_package_that_is_missing_is_said_before_anything_is_measured(package, where, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(slurm, "present", lambda: True)
    done = CliRunner().invoke(fleet, ["--fleet", str(tmp_path / "f"), where, "1", *impls("numpy_lstm", "torch_lstm")])
    assert (done.exit_code, f"a fleet needs {package}" in done.output) == (2, True)
    assert not (tmp_path / "f").exists()


def test_a_job_that_is_refused_is_one_line_and_those_before_it_are_known(tmp_path, monkeypatch, no_git):
    def submit(job, *_):
        if job.name == "002":
            raise RuntimeError("no such account\nlab")
        return "7"

    monkeypatch.setattr(slurm, "present", lambda: True)
    monkeypatch.setattr(slurm, "run", lambda *_: "all* n1 idle\nall* n2 idle\n")
    monkeypatch.setattr(slurm, "submit", submit)
    done = CliRunner().invoke(
        fleet, ["--fleet", str(tmp_path / "f"), "--nodes", "2", *SMALL, *impls("numpy_lstm", "torch_lstm")]
    )
    assert done.exit_code == 1
    assert "002 could not be submitted to all/n2: no such account lab; 1 were submitted before" in done.output
    assert [member.job for member in fleets.read(tmp_path / "f").members] == ["7", ""]


def test_without_slurm_it_says_how_to_go_on(monkeypatch):
    monkeypatch.setattr(slurm, "present", lambda: False)
    assert "--local N" in CliRunner().invoke(fleet, ["--nodes", "2"]).output


SINFO = """\
a n1 mixed
a n2 idle
a n3 down*
a n4 idle~
a n5 idle*
a n6 idle$
a n7 planned
a n9 mixed@
b* n2 idle
b* n8 mixed-
"""


def test_slurms_words_are_read(monkeypatch):
    answers = {"sinfo": SINFO, "squeue": "7|RUNNING|None\n8|PENDING|Resources\n9|COMPLETING|None\n"}
    monkeypatch.setattr(slurm, "run", lambda command, _: answers[command[0]])
    assert slurm.places("a", 4) == ["a/n2", "a/n4", "a/n1", "a/n7"]
    assert slurm.places(None, 2) == ["b/n2", "b/n8"]
    assert slurm.places("a,b", 5) == ["a/n2", "a/n4", "b/n8", "a/n1", "a/n7"]  # no node twice, in turn
    with pytest.raises(click.UsageError, match="5 are usable"):
        slurm.places("a,b", 6)
    assert slurm.states() == {"7": "running", "8": "pending (Resources)", "9": "completing"}
    answers["sinfo"] = "a n1 idle\n"
    with pytest.raises(click.UsageError, match="no partition is the default"):
        slurm.places(None, 1)


@pytest.mark.parametrize(
    "text", ["nodelist=n1", "--signal=USR1@5", "job_name=x", "account=", "time=1:00:00", "comment=a\nb"]
)
def test_options_of_sbatch_that_are_the_fleets_own_are_refused(text):
    with pytest.raises(click.UsageError, match=re.escape(f"--slurm {text}")):
        slurm.sbatch_options(["gres=gpu:1", text])


def test_other_options_of_sbatch_are_passed_on():
    given = ["account=lab", "--gres=gpu:1", "mail-type=END", "comment=a=b", "time=60"]
    wanted = {"account": "lab", "gres": "gpu:1", "mail_type": "END", "comment": "a=b", "time": "60"}
    assert slurm.sbatch_options(given) == wanted
