"""A fleet without Slurm: submitit's local executor, one run after the other on this machine."""

from __future__ import annotations

import re

import click
import pytest

from benchmarks.fleet import folder as fleets
from benchmarks.fleet import scheduler
from benchmarks.fleet.asked import run_options, sbatch_options, slurm_nodes
from tests.helpers import processes
from tests.helpers.processes import impls
from tests.helpers.slurm import until

SMALL = (
    "--problem", "t4-b2-i8-h8", "--mode", "forward", "--replicates", "2", "--blocks", "2", "--no-floor",
    "--threads", "1", *impls("torch_lstm", "torch_cell"),
)  # fmt: skip


def fleet(*words, timeout=280):
    return processes.python("-m", "benchmarks", "fleet", *words, timeout=timeout)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_runs_on_this_machine_end_in_the_same_files(tmp_path):
    folder = tmp_path / "fleet"
    done = fleet("--local", "2", "--fleet", folder, "--watch", *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 of 2 have not ended" in done.stdout
    for name in ("fleet.json", "fleet.md", "fleet.csv"):
        assert (folder / name).exists()
    for member in ("001", "002"):
        run = fleets.folder_of(folder, member) / "run"
        assert {"results.parquet", "environment.json", "index.html"} <= {path.name for path in run.iterdir()}
        assert fleets.ended(folder, member).code == 0
        assert fleets.replicates_done(folder, member) == (2, 2)
    records = [fleets.folder_of(folder, member) / "run" / "results.parquet" for member in ("001", "002")]
    import pandas as pd

    starts = [
        [turn["started"] for turns in pd.read_parquet(path)["turns"] for turn in turns] for path in records
    ]  # fmt: skip
    assert max(starts[0]) < min(starts[1]) or max(starts[1]) < min(starts[0])  # never at the same time
    assert set(pd.read_parquet(records[0])["implementation"]) == {"torch_lstm", "torch_cell", "twin"}
    assert fleet("status", folder).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_jobs_go_on_without_the_command_and_can_be_cancelled(tmp_path):
    folder = tmp_path / "fleet"
    many = [word if word != "2" or SMALL[k - 1] != "--replicates" else "200" for k, word in enumerate(SMALL)]
    done = fleet("--local", "1", "--fleet", folder, *many)
    assert done.returncode == 0, done.stderr
    until(lambda: fleets.replicates_done(folder, "001")[0] >= 1, "a replicate", 120)
    going_on = fleet("status", folder)
    assert going_on.returncode == 3
    assert "running" in going_on.stdout
    assert fleet("cancel", folder).returncode == 0
    until(lambda: fleet("status", folder).returncode == 0, "the end", 60)
    collected = fleet("collect", folder)
    assert collected.returncode == 1
    assert "no rows: run 001" in (folder / "fleet.md").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--local", "1", "--nodes", "2"), 2, "--local does not go with"),
        (("--local", "0"), 2, "0 is not in the range"),
        (("--local", "1", "--out", "x"), 2, "--out is given by the fleet"),
        (("--local", "1", "--mode", "sideways"), 2, "'sideways' is not one of"),
        (("--local", "1", "--baseline", "nobody"), 2, "--baseline nobody is not among"),
        (("--local", "1", "--replicates", "1"), 2, "--replicates must be at least 2"),
        (("status", "/nowhere"), 2, "holds no fleet"),
        (("collect", "/nowhere"), 2, "holds no fleet"),
    ],
)
def test_what_is_asked_wrongly_is_one_line(words, code, said, tmp_path):
    done = fleet(*words, *(("--fleet", tmp_path / "f") if words[0].startswith("--") else ()))
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "f").exists()


def test_without_slurm_it_says_how_to_go_on(tmp_path, monkeypatch):
    if scheduler.present():
        pytest.skip("there is a Slurm")
    done = fleet("--fleet", tmp_path / "f", "--nodes", "2")
    assert done.returncode == 2
    assert "--local N runs N times on this machine" in done.stderr


def test_every_implementation_is_named_to_the_nodes_and_the_other_options_stay():
    given = ["--preset", "full", "--impl", "jax_scan", "--impl=torch_lstm", "--seed", "3"]
    whole, baseline = run_options(given)
    assert whole == ["--preset", "full", "--seed", "3", "--impl", "jax_scan", "--impl", "torch_lstm"]
    assert baseline == "torch_lstm"
    every, _ = run_options([])
    assert "torch_cell" in every
    assert "peak" not in every


def test_slurms_words_are_read(monkeypatch):
    answers = {
        "sinfo": "n1 idle\nn2 mixed\nn3 down*\nn4 idle~\nn5 idle*\nn6 idle$\nn7 planned\nn8 mixed-\nn9 mixed@\n",
        "squeue": "7|RUNNING|None\n8|PENDING|Resources\n9|COMPLETED|None\n",
    }
    monkeypatch.setattr(scheduler, "_slurm", lambda command, *_: answers[command])
    assert scheduler.nodes("all") == ["n1", "n4", "n2", "n7", "n8"]
    assert scheduler.states("slurm", ["7", "8", "9", "10"]) == {
        "7": "running", "8": "pending (Resources)", "9": "gone", "10": "gone",
    }  # fmt: skip
    answers["sinfo"] = "a\nb*\n"
    assert scheduler.default_partition() == "b"
    answers["sinfo"] = ""
    with pytest.raises(scheduler.SchedulerFailed, match="there is no partition x"):
        scheduler.nodes("x")


@pytest.mark.parametrize(
    "text", ["time=60", "nodelist=n1", "--signal=USR1@5", "job_name=x", "open-mode=truncate", "account", "account="]
)
def test_options_of_sbatch_that_are_the_fleets_own_are_refused(text):
    with pytest.raises(click.UsageError, match=re.escape(f"--slurm {text}")):
        sbatch_options(["gres=gpu:1", text])


def test_other_options_of_sbatch_are_passed_on():
    given = ["account=lab", "--gres=gpu:1", "mail-type=END", "comment=a=b"]
    assert sbatch_options(given) == {"account": "lab", "gres": "gpu:1", "mail_type": "END", "comment": "a=b"}


def test_a_node_in_two_partitions_is_not_counted_for_both(monkeypatch):
    monkeypatch.setattr(scheduler, "nodes", lambda name: ["n1", "n2"] if name == "a" else ["n2", "n3"])
    with pytest.raises(click.UsageError, match="n2 is in several of the partitions"):
        slurm_nodes("a,b", None, 2)
    assert slurm_nodes("a,b", None, 1) == ["a/n1", "b/n2"]
    assert slurm_nodes("a,b", 3, None) == ["a/n1", "b/n2", "b/n3"]
