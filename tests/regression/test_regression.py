"""The regression gate from end to end: what it says of faults that were made on purpose."""

import json
import time

import junitparser
import pandas as pd
import pytest

from benchmarks.calibration import measuring
from benchmarks.calibration.injection import inject
from benchmarks.calibration.subject import Subject
from benchmarks.choices import choose_cores
from benchmarks.regression import decision, outcome, report, snapshots
from benchmarks.regression.gate_options import TURN_SECONDS, turn_seconds
from benchmarks.regression.slowdowns import locate
from benchmarks.runner.blocks import SPACING_SECONDS
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side
from tests.helpers import processes
from tests.helpers.processes import FEW, ROOT, git


def test_turns_of_few_benchmarks_fill_the_time_until_the_next_block():
    assert [turn_seconds(n, "cpu") for n in (3, 12, 24)] == [TURN_SECONDS] * 3
    for n in (1, 2):
        assert turn_seconds(n, "cpu") > TURN_SECONDS
        assert SPACING_SECONDS / 2 < 4 * n * turn_seconds(n, "cpu") < SPACING_SECONDS


@pytest.fixture
def regression(checkout, tmp_path):
    """Run the gate in that checkout, with a cache of its own; the finished process and its folder."""

    def run(*arguments, **env):
        out = tmp_path / f"out-{time.time_ns()}"
        command = ("-m", "benchmarks", "regression", *arguments, "--out", out)
        return processes.python(*command, cwd=checkout, **{"XDG_CACHE_HOME": str(tmp_path / "cache"), **env}), out

    return run


@pytest.mark.process
def test_nothing_changed(regression, tmp_path):
    summary = tmp_path / "summary.md"
    few = ("--impl", "numpy_lstm", "--impl", "torch_cell")
    done, out = regression("--base", "HEAD", *few, *FEW, GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout.strip().splitlines()[-2].startswith("no regression found")
    rows = pd.read_parquet(out / "regression.parquet")
    assert set(rows["side"]) == {"base", "head"}
    assert set(rows["status"]) == {"ok"}
    assert (rows.groupby(["implementation", "side"])["replicate"].nunique() >= 2).all()
    assert {"steal_seconds", "pressure_seconds", "involuntary_switches"} <= set(rows["turns"][0][0])
    assert "no regression found" in (out / "regression.md").read_text().splitlines()[0]
    assert summary.read_text() == (out / "regression.md").read_text()
    suite = junitparser.JUnitXml.fromfile(str(out / "regression.xml"))
    assert sum(len(one) for one in suite) == 2 * 3  # two benchmarks, three metrics
    assert json.loads((out / "environment.json").read_text())["run"]["base"] == "HEAD"
    assert {path.name for path in out.iterdir()} == {
        "environment.json", "regression.md", "regression.parquet", "regression.xml", "regression.json",
    }  # fmt: skip


@pytest.mark.process
def test_the_same_files_are_not_measured_and_a_changed_one_is(regression, checkout):
    (checkout / "notes.txt").write_text("only words\n")
    chosen = ("--base", "HEAD", "--impl", "numpy_lstm")
    done, out = regression(*chosen, "--impl", "jax_scan", "--strict")
    assert done.returncode == 0, done.stderr + done.stdout
    line = outcome.ALIKE
    assert line in done.stdout
    assert line in (out / "regression.md").read_text().splitlines()[0]
    assert pd.read_parquet(out / "regression.parquet").empty
    told = json.loads((out / "regression.json").read_text())
    assert [one["kind"] for one in told["standings"]] == ["alike"] * 4
    with (checkout / "impls" / "numpy_lstm.py").open("a") as file:
        file.write("# changed\n")
    done, out = regression(*chosen, *(option for option in FEW if option != "--even-if-same"))
    assert done.returncode == 0, done.stderr + done.stdout
    assert set(pd.read_parquet(out / "regression.parquet")["side"]) == {"base", "head"}


AFTER_THE_FIRST = """
_every_call = _Slowed.__call__


def _call(self, state):
    if hasattr(self, "called"):
        return _every_call(self, state)
    self.called = True
    return self.call(state)


_Slowed.__call__ = _call
"""
"""The first call is left as it was: on a slow machine, twice its time would be a slower start too."""


@pytest.mark.process
@pytest.mark.alone
def test_twice_the_work_is_a_regression_and_names_the_benchmark(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names = ("torch_lstm", "torch_lstmcell")
    subject = Subject(names, "t16-b4-i32-h64", ("train_step",))
    root = subject.root
    change = {"impls/torch_lstm.py": lambda source: inject(source, 1.0) + AFTER_THE_FIRST}
    places = {"base": root, "head": snapshots.changed(root, change)}
    pair = [Side(label, subject.versions(place)) for label, place in places.items()]
    benchmark = subject.benchmarks["train_step"]
    session = Session(measuring.configure(subject, 0), pair, choose_cores(1), tmp_path, lambda *_: None)
    result = outcome.measure_and_decide(session, decision.rules(0.5), replicates=6, blocks=8)
    assert [text.partition(" +")[0] for text in result.worse.values()] == [f"torch_lstm {benchmark}: time"]
    assert result.exit_code(strict=False) == 1
    numbers = {name: {row.replicate for row in result.records if row.implementation == name} for name in names}
    assert numbers["torch_lstmcell"] == set(range(decision.FEWEST))  # it is dropped at the first look
    suite = junitparser.JUnitXml.fromstring(report.junit(result, "t"))
    failed = [
        case.name for one in suite for case in one if any(isinstance(r, junitparser.Failure) for r in case.result)
    ]
    assert failed == [f"torch_lstm {benchmark} time"]
    found = locate(session, result.records, result.slower)[f"torch_lstm {benchmark}", "time"]
    assert not found.failure
    assert found.kind == "processor time"
    assert found.profiles["functions"][0].name == "impls/torch_lstm.py _Slowed.work"  # which the injection adds
    assert found.profiles["operators"]


WRONG = """
_right = prepare
def prepare(problem, weights, device, workload):
    import dataclasses
    found = _right(problem, weights, device, workload)
    def train_step(state):
        result = found.train_step(state)
        return result | {"grad_weight_ih_l0": result["grad_weight_ih_l0"] * 1.001}
    return dataclasses.replace(found, train_step=train_step)
"""


@pytest.mark.process
def test_a_wrong_gradient_is_a_regression_and_names_the_tensor(checkout, regression):
    path = checkout / "impls" / "numpy_lstm.py"
    path.write_text(path.read_text() + WRONG)
    done, out = regression("--base", "HEAD", "--impl", "numpy_lstm", "--impl", "torch_cell", *FEW)
    assert done.returncode == 1, done.stderr + done.stdout
    assert "grad_weight_ih_l0" in done.stdout.strip().splitlines()[-2]
    rows = pd.read_parquet(out / "regression.parquet")
    assert set(rows.loc[rows["status"] == "ok", "implementation"]) == {"torch_cell"}  # what is wrong is not timed
    wrong = rows[rows["implementation"] == "numpy_lstm"]
    assert set(wrong["side"]) == {"head"}
    assert set(wrong["status"]) == {"disagrees"}
    assert wrong["seconds"].isna().all()


@pytest.mark.process
def test_what_is_missing_or_dies_is_exit_3_and_what_is_new_is_said(checkout, regression):
    (checkout / "impls" / "numpy_lstm.py").rename(checkout / "impls" / "numpy_mine.py")
    done, out = regression(
        "--base", "HEAD", "--impl", "numpy_lstm", "--impl", "numpy_mine", "--impl", "torch_cell", *FEW
    )
    assert done.returncode == 3, done.stderr + done.stdout
    assert "numpy_lstm t4-b2-i8-h8/sequence/train_step: missing in the head, ok in the base" in done.stdout
    assert "new: numpy_mine" in done.stdout
    assert "**missing** numpy_lstm" in (out / "regression.md").read_text()

    path = checkout / "impls" / "torch_cell.py"
    path.write_text(path.read_text() + "\nimport os\nos._exit(7)\n")
    done, _ = regression("--base", "HEAD", "--impl", "torch_cell", *FEW)
    assert done.returncode == 3, done.stderr + done.stdout
    assert "in the head, ok in the base" in done.stdout


@pytest.mark.process
def test_what_can_not_be_read_or_imported_is_no_pass_on_either_side(checkout, regression):
    path = checkout / "impls" / "torch_cell.py"
    good = path.read_text()
    path.write_text(good + "\ndef (\n")
    done, _ = regression("--base", "HEAD", "--impl", "torch_cell", "--impl", "numpy_lstm", *FEW)
    assert done.returncode == 3, done.stderr + done.stdout
    assert "torch_cell t4-b2-i8-h8/sequence/train_step: error (impls/torch_cell.py, line" in " ".join(
        done.stdout.split()
    )

    path.write_text("import nonexistent_zz\n" + good.replace("from __future__ import annotations", ""))
    git(checkout, "commit", "-qam", "broken")
    path.write_text(good)
    done, _ = regression("--base", "HEAD", "--impl", "torch_cell", *FEW)
    assert done.returncode == 3, done.stderr + done.stdout
    assert "ModuleNotFoundError: No module named 'nonexistent_zz') in the base" in " ".join(done.stdout.split())


@pytest.mark.process
def test_a_file_of_another_repository(tmp_path, regression):
    folder = tmp_path / "theirs"
    folder.mkdir()
    path = folder / "mine.py"
    path.write_text((ROOT / "impls" / "numpy_lstm.py").read_text())
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "mine")
    path.write_text(path.read_text() + WRONG)
    done, _ = regression("--base", "HEAD", "--impl", path, *FEW, GITHUB_STEP_SUMMARY=str(tmp_path))
    assert done.returncode == 1, done.stderr + done.stdout
    assert "GITHUB_STEP_SUMMARY can't be written to" in done.stderr
    assert "mine t4-b2-i8-h8/sequence/train_step: disagrees with the reference, ok in the base" in done.stdout

    path.write_text(path.read_text().replace('TRACK = "default"', 'TRACK = "peak"'))
    done, _ = regression("--base", "HEAD", "--impl", path, *FEW)
    assert done.returncode == 3, done.stderr + done.stdout
    assert "error (mine.py: TRACK is 'peak'" in " ".join(done.stdout.split())


def one_line(done, code=2):
    assert done.returncode == code, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.process
def test_a_base_that_can_not_be_had_is_one_line(checkout, regression):
    assert "names no commit" in one_line(regression("--base", "no-such-revision")[0])

    contract = checkout / "impls" / "core" / "contract.py"
    now = contract.read_text()
    contract.write_text(now.replace("CONTRACT = 2", "CONTRACT = 0"))
    git(checkout, "commit", "-qam", "older")
    contract.write_text(now)
    assert "has contract 0; this tree's benchmarks/ needs contract 2" in one_line(regression("--base", "HEAD")[0])

    git(checkout, "rm", "-rq", "--cached", "impls")
    git(checkout, "commit", "-qm", "none")
    assert "has no impls/" in one_line(regression("--base", "HEAD")[0])
