"""What a fleet is asked to do, and a fleet without Slurm: one run after the other on this machine."""

from __future__ import annotations

import re
import signal

import click
import msgspec
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks import choices, json_files
from benchmarks.fleet import folder as fleets
from benchmarks.fleet import plan, slurm
from benchmarks.fleet.command import fleet
from benchmarks.processes import CommandFailed
from benchmarks.run_options import RunOptions, resumed
from impls.core.files import write_text
from impls.core.text import json_text
from tests.helpers import processes
from tests.helpers.processes import impls, python
from tests.helpers.slurm import until

SMALL = (
    "--problem", "t4-b2-i8-h8", "--mode", "forward", "--blocks", "2", "--no-floor", "--threads", "1",
    *impls("torch_lstm", "torch_cell"),
)  # fmt: skip


@pytest.mark.process
@pytest.mark.timeout(300)
def test_two_runs_on_this_machine_end_in_one_table(tmp_path):
    folder = tmp_path / "fleet"
    words = ("--local", "2", "--fleet", folder, *SMALL, "--replicates", "2")
    done = python("-m", "benchmarks", "fleet", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("fleet.json", "fleet.md", "fleet.csv"):
        assert (folder / name).exists()
    for member in ("001", "002"):
        run = fleets.run_of(folder, member)
        assert {"results.parquet", "environment.json", "index.html"} <= {path.name for path in run.iterdir()}
        assert fleets.ended(folder, member).code == 0
        assert fleets.replicates_done(folder, member) == (2, 2)
        assert set(pd.read_parquet(run / "results.parquet")["implementation"]) == {"torch_lstm", "torch_cell", "twin"}


@pytest.mark.process
@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["cancel", "Ctrl-C"])
def test_a_fleet_on_this_machine_can_be_ended_and_each_run_goes_on_later(tmp_path, how):
    folder = tmp_path / "fleet"
    words = ("--local", "2", "--fleet", folder, *SMALL, "--replicates", "50")
    started = processes.start("-m", "benchmarks", "fleet", *words)
    until(lambda: fleets.replicates_done(folder, "001")[0] >= 1, "a replicate", 120)
    assert python("-m", "benchmarks", "fleet", "status", folder).returncode == 3
    if how == "cancel":
        assert python("-m", "benchmarks", "fleet", "cancel", folder).returncode == 0
    else:
        started.send_signal(signal.SIGINT)
    said, _ = started.communicate(timeout=100)
    assert started.returncode == (1 if how == "cancel" else 130), said
    status = python("-m", "benchmarks", "fleet", "status", folder)
    assert status.returncode == 0
    assert "002, this machine: the fleet was cancelled" in status.stdout
    assert python("-m", "benchmarks", "fleet", "collect", folder).returncode == 1
    assert "no rows: run 001" in (folder / "fleet.md").read_text()
    for member in ("001", "002"):  # one has begun, the other not
        run = fleets.run_of(folder, member)
        few = msgspec.structs.replace(json_files.read(run / "run.json", RunOptions), replicates=1)
        write_text(run / "run.json", json_text(few))
    assert python("-m", "benchmarks", "bench", "--resume", fleets.run_of(folder, "002")).returncode == 0


@pytest.mark.process
def test_every_run_has_its_options_before_it_begins_and_the_machine_fills_in_its_own(tmp_path, monkeypatch):
    options = plan.run_options(("--preset", "full", *impls("jax_scan", "torch_lstm"), "--seed", "3"))
    plan.write_runs(tmp_path, ["001", "002"], options)
    first, second = (json_files.read(fleets.run_of(tmp_path, name) / "run.json", RunOptions) for name in ("001", "002"))
    assert first.run_id != second.run_id
    assert msgspec.structs.replace(first, run_id=second.run_id) == second
    assert first.implementations == ("jax_scan", "torch_lstm", "peak", str(tmp_path / "twin.py"))
    assert (first.baseline, first.seed, first.threads, first.memory_bytes) == ("torch_lstm", 3, 0, 0)
    run = fleets.run_of(tmp_path, "002")
    monkeypatch.setattr(choices, "choose_cores", lambda threads: (4, 5, 6)[: threads or 3])
    began, folder = resumed(RunOptions(resume=str(run)))
    assert (began.threads, folder) == (3, run)
    assert began.memory_bytes > 0
    assert json_files.read(run / "run.json", RunOptions) == began
    (run / "raw").mkdir()  # it has begun
    monkeypatch.setattr(choices, "choose_cores", lambda _: (0,))
    assert resumed(RunOptions(resume=str(run)))[0] == began


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--local", "1", "--nodes", "2"), "--local does not go with"),
        (("--local", "0"), "0 is not in the range"),
        (("--local", "1", "--out", "x"), "--out is given by the fleet"),
        (("--local", "1", "--mode", "sideways"), "'sideways' is not one of"),
        (("--local", "1", "--baseline", "nobody"), "--baseline nobody is not among"),
        (("--local", "1", "--replicates", "1"), "--replicates must be at least 2"),
        (("--local", "1", "--no-such-option"), "No such option"),
        (("--local", "1", "regression", "--base", "HEAD", "--out", "x"), "--out does not go with a fleet of gates"),
        (("--local", "1", "regression", "--bisect", "a..b"), "--bisect does not go with a fleet of gates"),
        (("--local", "1", "regression"), "takes either --base REV"),
        (("--local", "1", "regression", "--base", "nowhere"), "nowhere names no commit"),
        (("--local", "1", "regression", "--base", "HEAD", "--impl", "torch_lst"), "did you mean torch_lstm?"),
        (("--local", "1", "regression", "--base", "HEAD", "--margin", "0"), "is not between"),
        ((), "say how many nodes: --nodes N"),
        (("--nodes", "3"), "--nodes is 3; 2 are usable"),
        (("--nodes", "1", "--slurm", "account"), "--slurm account is not KEY=VALUE"),
        (("--minutes", "5", "--nodes", "1", "--slurm", "nodelist=n1"), "the fleet gives nodelist itself"),
        (("status", "/nowhere"), "holds no fleet"),
    ],
)
def test_what_is_asked_wrongly_is_refused_before_anything_is_written(words, said, tmp_path, monkeypatch):
    monkeypatch.setattr(slurm, "present", lambda: True)
    monkeypatch.setattr(slurm, "run", lambda command, _: "all*\n" if "--format=%P" in command else "n1 idle\nn2 idle\n")
    place = () if words[:1] == ("status",) else ("--fleet", str(tmp_path / "f"))
    done = CliRunner().invoke(fleet, [*place, *words])
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.output.split())
    assert not (tmp_path / "f").exists()


def test_without_slurm_it_says_how_to_go_on(monkeypatch):
    monkeypatch.setattr(slurm, "present", lambda: False)
    assert "--local N runs N times on this machine" in CliRunner().invoke(fleet, ["--nodes", "2"]).output


def test_slurms_words_are_read(monkeypatch):
    answers = {
        "sinfo": "n1 idle\nn2 mixed\nn3 down*\nn4 idle~\nn5 idle*\nn6 idle$\nn7 planned\nn8 mixed-\nn9 mixed@\n",
        "squeue": "7|RUNNING|None\n8|PENDING|Resources\n9|COMPLETING|None\n",
    }
    monkeypatch.setattr(slurm, "run", lambda command, _: answers[command[0]])
    assert slurm.nodes("all") == ["n1", "n4", "n2", "n7", "n8"]
    assert slurm.states(["7", "8", "9", "10"]) == {
        "7": "running", "8": "pending (Resources)", "9": "completing", "10": "gone",
    }  # fmt: skip
    answers["sinfo"] = "a\nb*\n"
    assert slurm.default_partition() == "b"
    answers["sinfo"] = ""
    with pytest.raises(CommandFailed, match="there is no partition x"):
        slurm.nodes("x")


@pytest.mark.parametrize(
    "text",
    ["nodelist=n1", "--signal=USR1@5", "job_name=x", "open-mode=truncate", "account", "account=", "time=1:00:00"],
)
def test_options_of_sbatch_that_are_the_fleets_own_are_refused(text):
    with pytest.raises(click.UsageError, match=re.escape(f"--slurm {text}")):
        slurm.sbatch_options(["gres=gpu:1", text])


def test_other_options_of_sbatch_are_passed_on():
    given = ["account=lab", "--gres=gpu:1", "mail-type=END", "comment=a=b", "time=60"]
    wanted = {"account": "lab", "gres": "gpu:1", "mail_type": "END", "comment": "a=b", "time": "60"}
    assert slurm.sbatch_options(given) == wanted


def test_a_node_in_two_partitions_is_not_taken_twice(monkeypatch):
    monkeypatch.setattr(slurm, "nodes", lambda name: ["n1", "n2"] if name == "a" else ["n2", "n3"])
    assert slurm.places("a,b", 2) == ["a/n1", "b/n2"]
    assert slurm.places("a,b", 3) == ["a/n1", "b/n2", "b/n3"]
