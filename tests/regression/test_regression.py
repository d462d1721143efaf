"""The regression gate from end to end: what it says of faults that were made on purpose."""

import json
from functools import partial

import junitparser
import pandas as pd
import pytest

from benchmarks.calibration import measuring
from benchmarks.calibration.injection import inject
from benchmarks.calibration.subject import Subject
from benchmarks.hardware import choose_cores
from benchmarks.regression import decision, outcome
from benchmarks.regression.slowdowns import largest, locate
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side
from tests.helpers import processes
from tests.helpers.processes import FEW, ROOT, git, impls

pytestmark = [pytest.mark.process, pytest.mark.timeout(900)]  # a machine may be busy

SOURCE = (ROOT / "impls" / "numpy_lstm.py").read_text()
WRONG = (
    SOURCE
    + """
_right = prepare
def prepare(problem, weights, device, workload):
    import dataclasses
    found = _right(problem, weights, device, workload)
    def train_step(state):
        result = found.train_step(state)
        return result | {"grad_weight_ih_l0": result["grad_weight_ih_l0"] * 1.001}
    return dataclasses.replace(found, train_step=train_step)
"""
)
ASTRAY = f"import sys\nsys.path.insert(0, 'FOLDER')\nimport mine\n{SOURCE}"
"""It imports a file of its repository by a path that is the same on both sides."""
FAULTS = {
    "mine": (SOURCE, WRONG, "disagrees", "grad_weight_ih_l0"),
    "dies": (SOURCE, f"{SOURCE}\nimport os\nos._exit(7)\n", "lost", "in the head, ok in the base"),
    "unreadable": (SOURCE, f"{SOURCE}\ndef (\n", "lost", "impls/unreadable.py, line"),
    "mended": (f"import nonexistent_zz\n{SOURCE}", SOURCE, "unmeasured", "nonexistent_zz"),
    "gone": (SOURCE, None, "missing", "missing in the head, ok in the base"),
    "new": (None, SOURCE, "new", "missing in the base"),
    "astray": (ASTRAY, f"{ASTRAY}\n", "lost", "theirs/mine.py, as the other side does"),
}
"""By implementation: its file in the base and in the head, and what is said of it."""
THEIRS = ("mine", "astray")
"""Those that are of another repository."""
SAME = ("numpy_lstm", "torch_lstm")


def gate(checkout, out, *arguments, **env):
    """Run a gate in a checkout, with a cache of its own; the finished process."""
    command = ("-m", "benchmarks", "regression", *arguments, "--out", out)
    return processes.python(*command, cwd=checkout, timeout=800, XDG_CACHE_HOME=str(out.parent / "cache"), **env)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A gate of FAULTS and of SAME, which have not changed: the process, its folder, and the summary of its job."""
    folder = tmp_path_factory.mktemp("gate")
    checkout, theirs = processes.copy_of_tree(folder / "checkout"), folder / "theirs"
    theirs.mkdir()
    git(theirs, "init", "-q")
    paths = {name: (theirs if name in THEIRS else checkout / "impls") / f"{name}.py" for name in FAULTS}
    for side in (0, 1):
        for name, sources in FAULTS.items():
            paths[name].unlink(missing_ok=True)
            if sources[side] is not None:
                paths[name].write_text(sources[side].replace("FOLDER", str(theirs)))
        for repository in (checkout, theirs) if side == 0 else ():
            git(repository, "add", "-A")
            git(repository, "commit", "-qm", "faults")
    summary = folder / "summary.md"
    own = [name for name in FAULTS if name not in THEIRS]
    chosen = ("--base", "HEAD", *impls(*map(paths.get, THEIRS), *own, *SAME), *FEW)
    done = gate(checkout, folder / "out", *chosen, GITHUB_STEP_SUMMARY=str(summary))
    return done, folder / "out", summary


def test_a_gate_names_each_fault_and_measures_the_others(finished):
    done, out, _ = finished
    assert done.returncode == 1, done.stderr + done.stdout
    told = json.loads((out / "regression.json").read_text())
    assert told["exit_code"] == 1
    assert "grad_weight_ih_l0" in done.stdout.strip().splitlines()[-1]
    said = {standing["benchmark"].split()[0]: standing for standing in told["standings"]}
    assert {name: standing["kind"] for name, standing in said.items()} == {name: of[2] for name, of in FAULTS.items()}
    for name, (*_, words) in FAULTS.items():
        assert words in said[name]["reason"]
        assert f"{said[name]['kind']}: {name} t4-b2-i8-h8/sequence/train_step" in done.stdout
    found = {(finding["benchmark"].split()[0], finding["metric"]) for finding in told["findings"]}
    assert found == {(name, metric) for name in SAME for metric in ("time", "start", "memory")}


def test_a_gate_leaves_what_its_documents_say(finished):
    _, out, summary = finished
    assert {path.name for path in out.iterdir()} == {
        "environment.json", "regression.md", "regression.parquet", "regression.xml", "regression.json",
    }  # fmt: skip
    rows = pd.read_parquet(out / "regression.parquet")
    assert set(rows.loc[rows["status"] == "ok", "implementation"]) == {*SAME}  # what is wrong is not timed
    assert (rows[rows["status"] == "ok"].groupby(["implementation", "side"])["replicate"].nunique() == 2).all()
    wrong = rows[rows["implementation"] == "mine"]
    assert (set(wrong["side"]), set(wrong["status"])) == ({"head"}, {"disagrees"})
    assert wrong["seconds"].isna().all()
    turns = rows.loc[rows["status"] == "ok", "turns"].iloc[0]
    assert {"pressure_seconds", "outside_seconds"} <= set(turns[0])
    assert "1 regression found" in (out / "regression.md").read_text().splitlines()[0]
    assert summary.read_text() == (out / "regression.md").read_text()
    suite = junitparser.JUnitXml.fromfile(str(out / "regression.xml"))
    assert sum(len(each) for each in suite) == 3 * len(SAME) + len(FAULTS)
    assert json.loads((out / "environment.json").read_text())["run"]["base"] == "HEAD"


def test_the_same_files_are_not_measured_and_a_changed_one_is(checkout, tmp_path):
    (checkout / "notes.txt").write_text("only words\n")
    chosen = ("--base", "HEAD", *impls("numpy_lstm"), "--strict")
    done = gate(checkout, tmp_path / "same", *chosen)
    assert done.returncode == 0, done.stderr + done.stdout
    assert outcome.ALIKE in done.stdout
    assert pd.read_parquet(tmp_path / "same" / "regression.parquet").empty
    (checkout / "impls" / "numpy_lstm.py").write_text(f"{SOURCE}# changed\n")
    done = gate(checkout, tmp_path / "changed", *chosen[:-1], *(word for word in FEW if word != "--even-if-same"))
    assert done.returncode == 0, done.stderr + done.stdout
    assert set(pd.read_parquet(tmp_path / "changed" / "regression.parquet")["side"]) == {"base", "head"}
    assert done.stdout.strip().splitlines()[-1].startswith("no regression found")


@pytest.mark.alone
def test_twice_the_work_is_a_regression_that_is_located(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names = ("torch_lstm", "torch_lstmcell")
    subject = Subject(names, "t16-b4-i32-h64", ("train_step",))
    changes = {"base": {}, "head": {"torch_lstm": partial(inject, share=1.0)}}
    pair = [Side(label, subject.copied(tmp_path / label, of_side)) for label, of_side in changes.items()]
    key = f"torch_lstm {subject.benchmarks['train_step']}"
    session = Session(measuring.configure(subject, 0), pair, choose_cores(1), tmp_path, lambda *_: None)
    result = outcome.measure_and_decide(session, decision.rules(0.5), replicates=6, blocks=8)
    assert (key, "time") in result.worse
    assert result.exit_code(strict=False) == 1
    other = {row.replicate for row in result.records if row.implementation == "torch_lstmcell"}
    assert other == set(range(decision.FEWEST))  # it is dropped at the first look
    ((_, found),) = locate(session, largest(result.slower))
    assert any("_Slowed.work" in line.name for line in found.profiles["functions"])
